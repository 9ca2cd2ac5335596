"""Texts some at a time, such that their states fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

BYTES_IN_MEMORY = 400_000
"""
Of texts in UTF-8 whose states are held at once: some 100,000 tokens, 1.5 times each where windows overlap, so up to
450 MB of 768 wide states. More are read in turn. Bytes: a token has about four, four letters or a Chinese character.
"""


def in_chunks(texts: Iterable[tuple[T, str]], most_bytes: int, most: int | None = None) -> Iterator[list[T]]:
    """
    Go through texts in their order; one that is too long by itself comes alone.

    :param texts: each with what stands for it.
    :param most_bytes: of a chunk's texts in UTF-8.
    :param most: texts of a chunk; None: any number.
    :return: what stands for the texts of a chunk.
    """
    chunk: list[T] = []
    held = 0
    for item, text in texts:
        size = len(text.encode("utf-8", "surrogatepass"))
        if chunk and (len(chunk) == most or held + size > most_bytes):
            yield chunk
            chunk, held = [], 0
        chunk.append(item)
        held += size
    if chunk:
        yield chunk
