"""Questions that nobody has answered, in SQuAD format."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path

from haystack_deformer.files import write_atomically


def save_questions(
    asked: Sequence[tuple[str, Sequence[str]]], path: str | os.PathLike[str], *, name: str, held_out: float = 0.0
) -> int:
    """
    Write questions without answers in SQuAD format.

    :param asked: passages, and what is asked of each.
    :param path: file to write; one that ends in .gz is compressed.
    :param name: of where they come from; the ids begin with it.
    :param held_out: share of the passages that had no part in them, which the file records.
    :return: questions written.
    """
    paragraphs = [
        {
            "context": passage,
            "qas": [{"id": f"{name}-{number}-{n}", "question": question} for n, question in enumerate(questions)],
        }
        for number, (passage, questions) in enumerate(asked)
    ]
    text = json.dumps(
        {"version": name, "held_out": float(held_out), "data": [{"title": name, "paragraphs": paragraphs}]}
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # without the time: the same questions made again are the same file, and a run of them can be resumed
    write_atomically(path, gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())
    return sum(len(questions) for _, questions in asked)
