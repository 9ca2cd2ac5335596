"""`cloze`: questions made of passages, for a teacher to answer in training."""

from pathlib import Path
from typing import Annotated

import typer

from haystack_deformer.cli.app import app, clear_errors
from haystack_deformer.cli.training_options import DEFAULT_HELD_OUT


@app.command()
def cloze(
    data: Annotated[
        list[Path], typer.Option(help="SQuAD-format JSON, plain or gzip, or a folder of texts. Repeat for several.")
    ],
    output: Annotated[Path, typer.Option(help="SQuAD-format JSON to write, compressed if its name ends in .gz.")],
    per_passage: Annotated[int, typer.Option(help="Questions of a passage at most.", min=1)] = 8,
    held_out: Annotated[
        float, typer.Option(help="Share of the passages that nothing is asked of: that of `distil`, or more.", min=0)
    ] = DEFAULT_HELD_OUT,
    seed: Annotated[int, typer.Option(help="Decides phrases and words.")] = 0,
) -> None:
    """Questions out of your passages' own sentences (English), for `train --unlabelled`."""
    with clear_errors():
        from haystack_deformer.files import check_apart
        from haystack_deformer.squad import is_held_out
        from haystack_deformer.training.cloze import make_cloze_file

        check_apart(output, data)
        passages = [passage for path in data for passage in _passages(path)]
        count = make_cloze_file(passages, output, per_passage=per_passage, held_out=held_out, seed=seed)
        asked = {passage for passage in passages if not is_held_out(passage, held_out)}
        typer.echo(f"{count:,} questions on {len(asked):,} passages: {output}")


def _passages(path: Path) -> list[str]:
    if path.is_dir():
        from haystack_deformer.corpus.texts import read_folder, text_documents

        return [document.content for document in text_documents(read_folder(path))]
    from haystack_deformer.squad import load_passages

    return load_passages(path)
