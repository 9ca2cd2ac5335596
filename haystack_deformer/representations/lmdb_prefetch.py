"""Records of an LMDB file, asked of the disk all at once before LMDB's map touches them page by page."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path

from haystack_deformer.representations.errors import StoreCorruptError
from haystack_deformer.representations.lmdb_pages import (
    BIG_DATA,
    BRANCH,
    NO_PAGE,
    NODE,
    PAGE_HEADER,
    last_meta,
    node_count,
    node_start,
    value_page,
)

_DEEPEST = 32
# Linux reads no more at a hint than the device's readahead, 128 KB where nobody has changed it
_READ_AHEAD = 131_072
# whoever reads more is no question that waits, and the way to each key is 24 microseconds of Python
_MOST_KEYS = 1_000


def prefetch(path: Path, keys: Sequence[bytes]) -> None:
    """
    Have the system read some keys' records in the background, where it can; of those in memory nothing is read.

    A map reads a page when it is touched, one after the other: the states of ten passages came off the disk in 46 ms
    that way, in 7 ms when they were asked for together. No more than a hint: whatever a writer at work makes of the
    file meanwhile, LMDB alone decides what is read.

    :param path: the `data.mdb`.
    :param keys: of the records.
    """
    if not hasattr(os, "posix_fadvise") or not 0 < len(keys) <= _MOST_KEYS:
        return
    try:
        with path.open("rb", buffering=0) as file:
            meta = last_meta(file, path)
            pages: dict[int, bytes] = {}
            for key in keys:
                place = _find(file.fileno(), pages, meta.page_size, meta.roots[1], key)
                if place is not None:
                    _ask_for(file.fileno(), *place)
    except (OSError, OverflowError, MemoryError, struct.error, StoreCorruptError):
        return


def _ask_for(file: int, offset: int, length: int) -> None:
    for start in range(0, length, _READ_AHEAD):
        os.posix_fadvise(file, offset + start, min(_READ_AHEAD, length - start), os.POSIX_FADV_WILLNEED)


def _find(file: int, pages: dict[int, bytes], page_size: int, root: int, key: bytes) -> tuple[int, int] | None:
    """Offset and length of a record that has pages of its own; None for a smaller one, or none."""
    number = root
    for _ in range(_DEEPEST):
        if number == NO_PAGE:
            return None
        page = pages.get(number)
        if page is None:
            page = pages[number] = os.pread(file, page_size, number * page_size)
        _, _, flags, lower, _ = PAGE_HEADER.unpack_from(page)
        start, own_key = _last_up_to(page, node_count(lower), key, branch=bool(flags & BRANCH))
        low, high, node_flags, key_length = NODE.unpack_from(page, start)
        if flags & BRANCH:
            number = low | high << 16 | node_flags << 32
            continue
        if own_key != key or not node_flags & BIG_DATA:
            return None
        return value_page(page, start, key_length) * page_size, PAGE_HEADER.size + (low | high << 16)
    return None


def _last_up_to(page: bytes, count: int, key: bytes, *, branch: bool) -> tuple[int, bytes]:
    """The last node of a page whose key is not beyond one: where it begins, and its key."""
    # the first key of a branch is not written: it stands for all that come before the second
    first, last = int(branch), count
    found = _node(page, 0)
    while first < last:
        middle = (first + last) // 2
        node = _node(page, middle)
        if node[1] <= key:
            found, first = node, middle + 1
        else:
            last = middle
    return found


def _node(page: bytes, number: int) -> tuple[int, bytes]:
    start = node_start(page, number)
    key = start + NODE.size
    return start, page[key : key + NODE.unpack_from(page, start)[3]]
