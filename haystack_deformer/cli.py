"""The command `haystack-deformer`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


@app.command()
def train(
    model: Annotated[str, typer.Option(help="Name or path of a question-answering checkpoint or an encoder.")],
    train: Annotated[list[Path], typer.Option(help="Files in SQuAD format, plain or gzip; repeat for several.")],
    lower_layers: Annotated[int, typer.Option(help="The cut k, 0 to layers - 1.")],
    output: Annotated[Path, typer.Option(help="Folder for the trained model.")],
    learning_rate: float = 5e-5,
    num_train_epochs: float = 3.0,
    max_steps: int = -1,
    batch_size: int = 32,
    warmup_ratio: float = 0.15,
    weight_decay: float = 0.01,
    seed: int = 42,
    max_seq_len: int = 320,
    doc_stride: int = 128,
    max_question_length: int = 64,
    bf16: bool = False,
    fp16_weights: Annotated[bool, typer.Option(help="Write the weights in fp16, half the bytes.")] = False,
    checkpoints: Annotated[Optional[Path], typer.Option(help="Default: OUTPUT/checkpoints.")] = None,
    save_steps: int = 500,
    resume: bool = True,
) -> None:
    """Fine-tune a model at a cut."""
    import torch

    from haystack_deformer.training.config import TrainingConfig
    from haystack_deformer.training.trainer import train as run

    config = TrainingConfig(
        model=model,
        train=tuple(map(str, train)),
        lower_layers=lower_layers,
        learning_rate=learning_rate,
        num_train_epochs=num_train_epochs,
        max_steps=max_steps,
        batch_size=batch_size,
        warmup_ratio=warmup_ratio,
        weight_decay=weight_decay,
        seed=seed,
        max_seq_len=max_seq_len,
        doc_stride=doc_stride,
        max_question_length=max_question_length,
        bf16=bf16,
    )
    run(
        config,
        output,
        checkpoints=checkpoints,
        save_steps=save_steps,
        resume=resume,
        dtype=torch.float16 if fp16_weights else None,
    )


if __name__ == "__main__":
    app()
