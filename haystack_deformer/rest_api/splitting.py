"""How many documents an upload becomes, told before Haystack's PreProcessor has made them all in memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from fastapi import HTTPException
from haystack.nodes import PreProcessor
from haystack.schema import Document

logger = logging.getLogger(__name__)

SPLITTING = ("split_by", "split_length", "split_overlap")
"""Parameters that decide how many documents there are."""

_CHARACTERS_OF_A_TOKEN = 4
_UNITS: dict[str, Callable[[str], int]] = {
    # at line ends words are parted where sentences are kept whole
    "word": lambda text: text.count(" ") + text.count("\n") + 1,
    "sentence": lambda text: sum(text.count(mark) for mark in ".!?") + 1,
    "passage": lambda text: text.count("\n\n") + 1,
    "page": lambda text: text.count("\f") + 1,
    "token": lambda text: len(text) // _CHARACTERS_OF_A_TOKEN + 1,
}


def check_count(count: int, limit: int) -> None:
    """
    Refuse an upload of too many documents.

    :param count: of them.
    :param limit: that there may be.
    :raises HTTPException: 413.
    """
    if count > limit:
        raise HTTPException(
            413,
            f"The upload would become some {count:,} documents, and this server takes {limit:,} at once: give a larger "
            "split_length or a smaller split_overlap, or send it in parts.",
        )


def expected_documents(node: Any, documents: Sequence[Any], given: Mapping[str, Any]) -> int:
    """
    About how many documents a node makes of some, by counting what it splits at.

    :param node: a PreProcessor; of any other 0, for it is not known.
    :param documents: that it gets.
    :param given: those of `SPLITTING` that the request gives, or None for them.
    """
    if not isinstance(node, PreProcessor):
        return 0
    by, length, overlap = (getattr(node, name) if given.get(name) is None else given[name] for name in SPLITTING)
    units_of = _UNITS.get(by) if isinstance(by, str) else None
    texts = [document.content for document in documents if isinstance(document, Document)]
    count = 0
    for text in texts:
        if not isinstance(text, str):
            continue
        pieces, characters = _pieces(text, units_of(text), length, overlap) if units_of else (1, len(text))
        count += pieces
        if characters > pieces * node.max_chars_check:
            # they are cut once more
            count += characters // node.max_chars_check
    return count


def _pieces(text: str, units: int, length: int, overlap: int) -> tuple[int, int]:
    """How many pieces, and how many characters they have together."""
    if units <= length:
        return 1, len(text)
    # a step of none is refused by the node itself
    pieces = -(-(units - length) // max(1, length - overlap)) + 1
    return pieces, pieces * length * len(text) // units


def cut_without_recursion(node: PreProcessor) -> None:
    """
    Let a node cut in a loop what is too long after splitting. Haystack's own cuts off the end, calls itself with it and
    holds what is left at every step: for some megabytes that nothing splits gigabytes, until its stack ends.

    :param node: whose method is replaced, for this instance alone.
    """
    node._long_documents = _cut  # noqa: SLF001  # no other place to come in between


def _cut(documents: list[Document], max_chars_check: int = 10_000) -> list[Document]:
    """The documents, cut to a length, and behind all of them what was cut off, as Haystack has it but for new ids."""
    ends = []
    for document in documents:
        text = document.content
        if not isinstance(text, str) or len(text) <= max_chars_check:
            continue
        logger.warning("A document of %d characters after splitting is cut at every %d.", len(text), max_chars_check)
        document.content = text[:max_chars_check]
        fields = {name: value for name, value in document.to_dict().items() if name not in ("id", "content", "meta")}
        ends += [
            Document.from_dict(
                {**fields, "meta": deepcopy(document.meta), "content": text[first : first + max_chars_check]}
            )
            for first in range(max_chars_check, len(text), max_chars_check)
        ]
    return [*documents, *ends]
