"""`mix`: passages mixed with like ones, for a teacher to answer the real questions on them in training."""

from pathlib import Path
from typing import Annotated

import typer

from haystack_deformer.cli.app import app, clear_errors
from haystack_deformer.cli.training_options import DEFAULT_HELD_OUT


@app.command()
def mix(
    data: Annotated[list[Path], typer.Option(help="SQuAD-format JSON, plain or gzip. Repeat for several.")],
    output: Annotated[Path, typer.Option(help="SQuAD-format JSON to write, compressed if its name ends in .gz.")],
    per_passage: Annotated[int, typer.Option(help="Questions on a mixture at most.", min=1)] = 8,
    held_out: Annotated[
        float, typer.Option(help="Share of the passages that none is mixed of: that of `distil`, or more.", min=0)
    ] = DEFAULT_HELD_OUT,
    seed: Annotated[int, typer.Option(help="Decides passages, sentences and questions.")] = 0,
) -> None:
    """Your questions again, on passages of two like ones' sentences, for `train --unlabelled`."""
    with clear_errors():
        from haystack_deformer.files import check_apart
        from haystack_deformer.squad import is_held_out, load_squad
        from haystack_deformer.training.mixing import make_mixed_file

        check_apart(output, data)
        examples = load_squad(data, labelled=False)[0]
        count = make_mixed_file(examples, output, per_passage=per_passage, held_out=held_out, seed=seed)
        mixed = {example.context for example in examples if not is_held_out(example.context, held_out)}
        typer.echo(f"{count:,} questions on mixtures of {len(mixed):,} passages: {output}")
