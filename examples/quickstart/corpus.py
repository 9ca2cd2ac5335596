"""The quickstart's corpus, index and questions."""

from __future__ import annotations

import json
import os
from pathlib import Path

from haystack.schema import Document

from haystack_deformer.corpus import CorpusIndex, IndexSettings, read_folder, text_documents

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "examples" / "models" / "deformer-minilm-l6-k4"
QUESTIONS = Path(__file__).with_name("questions.json")


def documents(folder: str | None = None) -> list[Document]:
    """Passages of the Python language reference, which every Python carries, or of a folder of text files."""
    if folder:
        return text_documents(read_folder(folder))
    from pydoc_data.topics import topics  # noqa: PLC0415  # 700 KB of text

    return text_documents(topics)


def open_index(folder: str | None = None) -> CorpusIndex:
    """The index of a corpus, each in a folder of its own below `.quickstart`, or below what INDEX says."""
    name = Path(folder).resolve().as_posix().strip("/").replace("/", "_") if folder else "python-reference"
    return CorpusIndex(Path(os.environ.get("INDEX") or ROOT / ".quickstart") / name, IndexSettings(model=str(MODEL)))


def questions() -> list[dict[str, str | list[str]]]:
    """The questions on the language reference, with the answers that count as right."""
    return json.loads(QUESTIONS.read_text(encoding="utf-8"))["questions"]
