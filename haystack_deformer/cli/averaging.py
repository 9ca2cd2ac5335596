"""`average`: the mean of models' weights."""

from pathlib import Path
from typing import Annotated

import typer

from haystack_deformer.cli.app import app, clear_errors
from haystack_deformer.cli.training import Fp16Weights


@app.command()
def average(
    model: Annotated[list[str], typer.Option(help="Name or folder of a model. Repeat for two or more.")],
    output: Annotated[Path, typer.Option(help="Folder for the mean.")],
    weight: Annotated[
        list[float] | None, typer.Option(help="Share of each model, in the same order. Default: equal shares.")
    ] = None,
    fp16_weights: Fp16Weights = False,
) -> None:
    """
    Average the weights of models with a common start, for instance those before and after a training.

    The mean may be better than each of them; check with `evaluate`.
    """
    with clear_errors():
        import torch

        from haystack_deformer.training.averaging import average as run

        run(model, output, weights=weight, dtype=torch.float16 if fp16_weights else None)
        typer.echo(f"The mean of {len(model)} models is in {output}.")
