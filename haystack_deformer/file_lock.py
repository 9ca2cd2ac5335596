"""A lock that one process at a time has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class FileLock:
    """
    Held until it is released; the operating system frees it however the process ends, with those that were forked from
    it. Without effect on Windows.

    :param path: the lock's own file, made where it does not exist; it stays.
    :param wait: whether to wait where it is held.
    :raises BlockingIOError: where it is held, in this process or another, and `wait` is False.
    """

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        self._file: int | None = None
        if fcntl is None:
            return
        file = self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BaseException:
            self._file = None
            os.close(file)
            raise

    def release(self) -> None:
        """Let another have it."""
        if self._file is not None:
            # closed alone, it would stay with a process that was forked meanwhile
            fcntl.flock(self._file, fcntl.LOCK_UN)
            os.close(self._file)
            self._file = None

    def __del__(self) -> None:
        """An interrupt may come between the lock and whoever is to release it."""
        if self._file is not None:
            # closed alone: a forked process must not take the lock from the one that has it
            os.close(self._file)


@contextmanager
def taking_turns(path: Path) -> Iterator[None]:
    """
    Wait for a lock and hold it while the block runs; without one where there can be none, as in a folder that can only
    be read.

    :param path: the lock's own file.
    """
    lock = None
    with suppress(OSError):
        lock = FileLock(path, wait=True)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
