"""Some at a time: what a database can be asked in one query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

IDS_AT_ONCE = 500
"""Ids or references in one query; SQLite takes 999 variables in the oldest release that is about."""


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """
    Go through items some at a time.

    :param items: any number.
    :param size: of a batch; the last may be smaller.
    """
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
