"""
The mean of a run's checkpoints, copied aside as they came, of its last quarter: the learning rate still falls there.

    python docs/accuracy/checkpoints.py --model thirteenth --checkpoint kept/6000 --checkpoint kept/6300 --output mean
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import load_file

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import load_tokenizer


def main(
    model: Annotated[Path, typer.Option(help="What the run wrote at its end: config, cut and tokenizer.")],
    checkpoint: Annotated[list[Path], typer.Option(help="Folders with the checkpoints' `model.safetensors`.")],
    output: Annotated[Path, typer.Option(help="Folder for the mean, in fp16.")],
) -> None:
    """Save the mean of the checkpoints' weights."""
    mean = DeFormerForQuestionAnswering.from_pretrained(model)
    summed = {name: torch.zeros_like(tensor) for name, tensor in mean.state_dict().items()}
    for folder in checkpoint:
        for name, tensor in load_file(folder / "model.safetensors").items():
            summed[name] += tensor / len(checkpoint)
    mean.load_state_dict(summed)
    mean.save_pretrained(output, load_tokenizer(model), dtype=torch.float16)


if __name__ == "__main__":
    typer.run(main)
