"""Is an LMDB file whole? Asked before mapping it: touching a mapped page that the file lacks kills the process."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

from haystack_deformer.representations.errors import StoreCorruptError

# LMDB 0.9's layout on 64-bit machines. A page: number, pad, flags, the ends of its free room
PAGE_HEADER = struct.Struct("=QHHHH")
BRANCH, _LEAF = 0x01, 0x02
NODE = struct.Struct("=HHHH")  # low and high half of the size (or of the child's number), flags, length of the key
BIG_DATA = 0x01
_META = struct.Struct("=IIQQ")  # magic, version, address, size of the map
# a tree: pad (of the first: page size), flags, depth, branches, leaves, overflows, entries, root
_DB = struct.Struct("=IHHQQQQQ")
_META_END = struct.Struct("=QQ")  # last page used, transaction
_HEAD = struct.Struct("=16I")  # long enough for the magic, behind whatever header
_MAGIC = 0xBEEFC0DE
_VERSION = 1
NO_PAGE = 2**64 - 1
_ATTEMPTS = 10


class _Meta(NamedTuple):
    transaction: int
    last_page: int
    page_size: int
    roots: tuple[int, int]


def check_data_file(path: Path) -> None:
    """
    Check that the file holds every page that its last committed transaction refers to.

    :param path: the `data.mdb`. An empty one passes: LMDB fills it. So does one of another version of the format than
        0.9's, which LMDB alone can judge.
    :raises FileNotFoundError: there is none.
    :raises StoreCorruptError: the file is truncated, or is not LMDB's.
    """
    with path.open("rb") as file:
        if path.stat().st_size == 0 or _is_other_version(file):
            return
        for _ in range(_ATTEMPTS):
            meta = last_meta(file, path)
            size = path.stat().st_size
            if size >= (meta.last_page + 1) * meta.page_size:
                return
            # Not proof yet: LMDB does not write pages that a transaction took and gave up again, not even at the end
            problem = _first_missing(file, meta, size // meta.page_size)
            if problem is None:
                return
            # a writer at work may have reused what was walked here
            if last_meta(file, path).transaction == meta.transaction:
                msg = (
                    f"{path} is truncated: it has {size:,} bytes and {problem} lies beyond them. Restore it from a "
                    f"backup, or remove its folder and index again (the documents are not touched)"
                )
                raise StoreCorruptError(msg)


def last_meta(file: BinaryIO, path: Path) -> _Meta:
    """
    The head of the last committed transaction.

    :param file: the `data.mdb`, open.
    :param path: of it.
    :raises StoreCorruptError: it is not LMDB's.
    """
    first = _read_meta(file, 0)
    second = _read_meta(file, first.page_size) if first else None
    metas = [meta for meta in (first, second) if meta]
    if not metas:
        msg = f"{path} is not an LMDB file, or its beginning is damaged: remove its folder and index again"
        raise StoreCorruptError(msg)
    return max(metas)


def node_count(lower: int) -> int:
    """
    How many nodes a page has.

    :param lower: where its free room begins, from its header.
    """
    return max(0, lower - PAGE_HEADER.size) // 2


def node_start(page: bytes, number: int) -> int:
    """
    Where a node of a page begins.

    :param page: the page.
    :param number: of the node, in the order of their keys.
    """
    place = PAGE_HEADER.size + 2 * number
    return int.from_bytes(page[place : place + 2], "little")


def value_page(page: bytes, start: int, key_length: int) -> int:
    """
    Number of the first of the pages that a value has to itself.

    :param page: a leaf.
    :param start: where the value's node begins.
    :param key_length: of the node.
    """
    place = start + NODE.size + key_length
    return int.from_bytes(page[place : place + 8], "little")


def _is_other_version(file: BinaryIO) -> bool:
    """Whether the format is not 0.9's: headers of pages differ between versions, so the magic is looked for."""
    file.seek(0)
    head = file.read(_HEAD.size)
    words = _HEAD.unpack(head) if len(head) == _HEAD.size else ()
    return any(word == _MAGIC and version != _VERSION for word, version in itertools.pairwise(words))


def _read_meta(file: BinaryIO, offset: int) -> _Meta | None:
    file.seek(offset + PAGE_HEADER.size)
    data = file.read(_META.size + 2 * _DB.size + _META_END.size)
    if len(data) < _META.size + 2 * _DB.size + _META_END.size or _META.unpack_from(data)[0] != _MAGIC:
        return None
    free, main = _DB.unpack_from(data, _META.size), _DB.unpack_from(data, _META.size + _DB.size)
    last_page, transaction = _META_END.unpack_from(data, _META.size + 2 * _DB.size)
    return _Meta(transaction, last_page, free[0], (free[-1], main[-1]))


def _first_missing(file: BinaryIO, meta: _Meta, pages: int) -> str | None:
    """Walk the trees from their roots; branch and leaf pages are read, long values only located."""
    waiting = [root for root in meta.roots if root != NO_PAGE]
    while waiting:
        number = waiting.pop()
        if number >= pages:
            return f"page {number:,}"
        file.seek(number * meta.page_size)
        page = file.read(meta.page_size)
        _, _, flags, lower, _ = PAGE_HEADER.unpack_from(page)
        for i in range(node_count(lower)):
            start = node_start(page, i)
            if start + NODE.size > meta.page_size:
                return f"the end of page {number:,}, which is damaged,"
            low, high, node_flags, key_length = NODE.unpack_from(page, start)
            if flags & BRANCH:
                waiting.append(low | high << 16 | node_flags << 32)
            elif flags & _LEAF and node_flags & BIG_DATA:
                value = value_page(page, start, key_length)
                length = PAGE_HEADER.size + (low | high << 16)
                if value + -(-length // meta.page_size) > pages:
                    return f"a record in page {value:,}"
    return None
