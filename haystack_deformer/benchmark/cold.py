"""Files out of the page cache, so that the next read goes to the disk."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_MADV_DONTNEED = 4


def drop_from_memory(path: str | os.PathLike[str]) -> None:
    """
    Have the system forget a file's pages, also those that this process has mapped. Linux alone.

    :param path: of the file.
    :raises OSError: where the system does not do it.
    """
    path = Path(path).resolve()
    libc = ctypes.CDLL(None, use_errno=True)
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        place, *_, name = line.split(maxsplit=5)
        if name == str(path):
            first, last = (int(part, 16) for part in place.split("-"))
            # from this process' tables first: a page that is mapped is not dropped
            if libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _MADV_DONTNEED):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    with path.open("rb") as file:
        # what is not written yet is not dropped either
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def resident_bytes(path: str | os.PathLike[str]) -> int:
    """
    How much of a file is in the page cache.

    :param path: of the file.
    """
    size = Path(path).stat().st_size
    page = os.sysconf("SC_PAGE_SIZE")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    with Path(path).open("rb") as file:
        place = libc.mmap(None, ctypes.c_size_t(size), 1, 1, file.fileno(), ctypes.c_long(0))
    present = (ctypes.c_ubyte * -(-size // page))()
    try:
        if libc.mincore(ctypes.c_void_p(place), ctypes.c_size_t(size), present):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        libc.munmap(ctypes.c_void_p(place), ctypes.c_size_t(size))
    return sum(flag & 1 for flag in present) * page
