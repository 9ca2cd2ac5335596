"""Texts to passages of a length that a reader likes, each an exact slice of its text."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

from haystack.schema import Document

from haystack_deformer.passages.tokenization import has_surrogate

logger = logging.getLogger(__name__)

_SUFFIXES = (".txt", ".md", ".markdown", ".rst", ".text")
BLANK_LINE = r"\n[ \t\r]*\n"
_PARAGRAPH = re.compile(rf"\S.*?(?={BLANK_LINE}|\Z)", re.DOTALL)
_NOT_SPACE = re.compile(r"\S")
_BREAKS = (re.compile(r"[.!?]\s"), re.compile(r"\s"))


def split_text(text: str, max_length: int = 1000) -> Iterator[tuple[int, int]]:
    """
    Cut a text into passages: whole paragraphs while they fit together, a longer one at the end of a sentence.

    :param text: paragraphs are parted by blank lines.
    :param max_length: characters of a passage at most.
    :return: first character and one past the last of each; white space alone lies between them.
    :raises ValueError: for a length below 1.
    """
    if max_length < 1:
        msg = f"max_length must be at least 1, got {max_length}."
        raise ValueError(msg)
    start = end = -1
    for first, last in _pieces(text, max_length):
        if start >= 0 and last - start > max_length:
            yield start, end
            start = -1
        start, end = (first if start < 0 else start), last
    if start >= 0:
        yield start, end


def _pieces(text: str, max_length: int) -> Iterator[tuple[int, int]]:
    """Paragraphs, and what is left of those that are longer than a passage."""
    for match in _PARAGRAPH.finditer(text):
        first, last = match.start(), match.end()
        while last - first > max_length:
            cut = _cut(text, first, first + max_length)
            yield first, first + len(text[first:cut].rstrip())
            found = _NOT_SPACE.search(text, cut, last)
            first = found.start() if found else last
        if first < last:
            yield first, first + len(text[first:last].rstrip())


def _cut(text: str, first: int, last: int) -> int:
    """The best place to cut, as far back as half a passage: the end of a sentence, else white space, else anywhere."""
    middle = (first + last) // 2
    for pattern in _BREAKS:
        places = [match.end() for match in pattern.finditer(text, middle, last)]
        if places:
            return places[-1]
    return last


def text_documents(texts: Mapping[str, str], max_length: int = 1000) -> list[Document]:
    """
    Passages as Haystack's documents.

    :param texts: by name.
    :param max_length: characters of a passage at most.
    :return: meta says `name` and `start`, the passage's first character in its text; both are part of the id.
    """
    return [
        Document(
            content=text[start:end],
            meta={"name": name, "start": start},
            id_hash_keys=["content", "meta"],
        )
        for name, text in texts.items()
        for start, end in split_text(text, max_length)
    ]


def read_folder(folder: str | Path) -> dict[str, str]:
    """
    The text and Markdown files below a folder.

    :param folder: searched to any depth.
    :return: texts by path relative to the folder. Bytes that are not UTF-8 are replaced, with a warning.
    :raises FileNotFoundError: where there is no such folder, or no text in it.
    :raises PermissionError: for a file or a folder that may not be read: an index would lose what is in it.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        msg = f"No such folder: {str(folder)!r}."
        raise FileNotFoundError(msg)
    texts: dict[str, str] = {}
    for path in sorted(_files_below(folder)):
        if path.suffix.lower() not in _SUFFIXES or not path.is_file():
            continue
        data = path.read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            logger.warning("%s is not UTF-8 (%s): what cannot be read is replaced.", path, error.reason)
            text = data.decode("utf-8-sig", errors="replace")
        if text.strip():
            texts[_name(path.relative_to(folder), texts)] = text
    if not texts:
        msg = f"No text in {str(folder)!r}: files named {', '.join('*' + suffix for suffix in _SUFFIXES)} are read."
        raise FileNotFoundError(msg)
    return texts


def _files_below(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    # not Path.rglob, which passes over folders that may not be listed
    for root, _, names in os.walk(folder, onerror=fail):
        yield from (Path(root) / name for name in names)


def _name(path: Path, taken: Mapping[str, str]) -> str:
    """A file's name for the documents' meta, which goes through tokenizers and JSON: half characters are replaced."""
    name = str(path)
    if not has_surrogate(name):
        return name
    whole = os.fsencode(path).decode("utf-8", "replace")
    logger.warning("The name %s is not UTF-8: what cannot be read is replaced.", whole)
    unlike = (whole if not number else f"{whole} ({number})" for number in count())
    return next(name for name in unlike if name not in taken)
