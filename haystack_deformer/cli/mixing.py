"""`mix`: passages mixed with like ones, for a teacher to answer the real questions on them in training."""

from pathlib import Path
from typing import Annotated

import typer

from haystack_deformer.cli.app import app, clear_errors


@app.command()
def mix(
    data: Annotated[list[Path], typer.Option(help="SQuAD-format JSON, plain or gzip. Repeat for several.")],
    output: Annotated[Path, typer.Option(help="SQuAD-format JSON to write, compressed if its name ends in .gz.")],
    per_passage: Annotated[int, typer.Option(help="Questions on a mixture at most.", min=1)] = 8,
    held_out: Annotated[
        float, typer.Option(help="Share of the passages that none is mixed of: that of `train`.", min=0)
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Decides passages, sentences and questions.")] = 0,
) -> None:
    """Your questions again, on passages of two like ones' sentences, for `train --unlabelled`."""
    with clear_errors():
        from haystack_deformer.files import check_apart
        from haystack_deformer.squad import check_held_out, load_squad, split_held_out
        from haystack_deformer.training.mixing import make_mixed_file

        check_held_out(held_out)
        check_apart(output, data)
        examples = split_held_out(load_squad(data, labelled=False)[0], held_out)[0]
        count = make_mixed_file(examples, output, per_passage=per_passage, seed=seed)
        typer.echo(f"{count:,} questions on mixtures of {len({e.context for e in examples}):,} passages: {output}")
