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
