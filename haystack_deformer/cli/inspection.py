"""`inspect`: what each cut of a model would save, before anything is trained."""

import json
from typing import Annotated

import typer

from haystack_deformer.cli.app import app, clear_errors


@app.command()
def inspect(
    model: Annotated[str, typer.Argument(help="Name or folder of a question-answering checkpoint or an encoder.")],
    question_length: Annotated[int, typer.Option(help="Tokens of a question, special tokens included.", min=1)] = 16,
    passage_length: Annotated[int, typer.Option(help="Tokens of a passage, special tokens included.", min=1)] = 176,
    passages: Annotated[int, typer.Option(help="Passages read for a question.", min=1)] = 10,
    codec: Annotated[
        list[str] | None,
        typer.Option(help="faiss codec of the states. Repeat for several. Default: four common ones."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Repetitions; the median is taken.", min=1)] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """What each cut of a model would save on this machine, and the size of the stored states. Loads no weights."""
    with clear_errors():
        from haystack_deformer.inspection import CODECS, inspect_model

        inspection = inspect_model(
            model,
            question_length=question_length,
            passage_length=passage_length,
            passages=passages,
            codecs=codec or CODECS,
            repeats=repeats,
        )
        typer.echo(json.dumps(inspection.to_dict()) if as_json else inspection.to_table())
