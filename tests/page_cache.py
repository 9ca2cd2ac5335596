"""What of a file the system holds in memory."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path


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
