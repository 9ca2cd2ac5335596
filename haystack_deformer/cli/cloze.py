"""`cloze`: questions made of passages, for a teacher to answer in training."""

from pathlib import Path
from typing import Annotated

import typer

from haystack_deformer.cli.app import app, clear_errors


@app.command()
def cloze(
    data: Annotated[
        list[Path], typer.Option(help="SQuAD-format JSON, plain or gzip, or a folder of texts. Repeat for several.")
    ],
    output: Annotated[Path, typer.Option(help="SQuAD-format JSON to write, compressed if its name ends in .gz.")],
    per_passage: Annotated[int, typer.Option(help="Questions of a passage at most.", min=1)] = 8,
    seed: Annotated[int, typer.Option(help="Decides phrases and words.")] = 0,
) -> None:
    """Questions out of your passages' own sentences (English), for `train --unlabelled`."""
    with clear_errors():
        from haystack_deformer.training.cloze import make_cloze_file

        passages = [passage for path in data for passage in _passages(path)]
        count = make_cloze_file(passages, output, per_passage=per_passage, seed=seed)
        typer.echo(f"{count:,} questions on {len(set(passages)):,} passages: {output}")


def _passages(path: Path) -> list[str]:
    if path.is_dir():
        from haystack_deformer.corpus.texts import read_folder, text_documents

        return [document.content for document in text_documents(read_folder(path))]
    from haystack_deformer.squad import load_passages

    return load_passages(path)
