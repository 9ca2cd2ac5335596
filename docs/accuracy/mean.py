"""The mean of several models' weights: of rounds that went on from each other it may be better than the last."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import load_tokenizer


def main(
    model: Annotated[list[Path], typer.Option(help="A model's folder. Repeat for several, of one architecture.")],
    output: Annotated[Path, typer.Option(help="Folder for the mean.")],
) -> None:
    """Write the mean of models, with the config and the tokenizer of the last."""
    models = [DeFormerForQuestionAnswering.from_pretrained(folder) for folder in model]
    states = [one.state_dict() for one in models]
    models[-1].load_state_dict({name: torch.stack([one[name] for one in states]).mean(dim=0) for name in states[-1]})
    models[-1].save_pretrained(output, load_tokenizer(model[-1]))


if __name__ == "__main__":
    typer.run(main)
