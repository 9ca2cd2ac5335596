"""Files that appear whole or not at all, and survive a power cut."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What file systems without hard links say, exFAT and some shared folders."""


def check_apart(path: Path, inputs: Iterable[Path]) -> None:
    """
    Refuse to write a file over one that is read for it.

    :param path: to be written.
    :param inputs: what is read.
    :raises ValueError: names the file.
    """
    if path.resolve() in {given.resolve() for given in inputs}:
        msg = f"{str(path)!r} is what is read, and would be written over: give another name for what is made."
        raise ValueError(msg)


def remove_forsaken(folder: Path, pattern: str, seconds: float) -> None:
    """
    Remove folders of processes that were killed, which are no living one's any more.

    :param folder: where they are.
    :param pattern: of their names.
    :param seconds: after which one that nobody has written to is forsaken.
    """
    for path in folder.glob(pattern):
        # another process may end, or remove the same, meanwhile
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > seconds:
                shutil.rmtree(path, ignore_errors=True)


def write_atomically(path: Path, data: bytes) -> None:
    """
    Write a file, replacing one that is there.

    :param path: the file.
    :param data: its contents.
    :raises OSError: the disk has no room, or the folder cannot be written to; a file that was there is as it was.
    """
    with _written_beside(path, data) as temporary:
        temporary.replace(path)
    sync(path.parent)


def write_first(path: Path, data: bytes) -> bool:
    """
    Write a file unless there is one: of several processes that do so at once, one succeeds.

    :param path: the file.
    :param data: its contents.
    :returns: whether the file is this call's.
    :raises OSError: the disk has no room, or the folder cannot be written to.
    """
    with _written_beside(path, data) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _write_new(path, data)
    sync(path.parent)
    return True


def sync(path: Path) -> None:
    """
    Make a file, or the names in a folder, durable.

    :param path: the file or folder.
    """
    if os.name == "nt":
        return  # a folder cannot be opened there, and names are journalled
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_new(path: Path, data: bytes) -> bool:
    """Where there are no hard links: for a moment another process may find a part of it."""
    try:
        file = path.open("xb")
    except FileExistsError:
        return False
    try:
        with file:
            _write_through(file, data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    sync(path.parent)
    return True


@contextmanager
def _written_beside(path: Path, data: bytes) -> Iterator[Path]:
    # not tempfile's, whose mode 0600 would lock other users' processes out of what they may read
    temporary = path.parent / f".{path.name}-{uuid.uuid4().hex}"
    try:
        with temporary.open("xb") as file:
            _write_through(file, data)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _write_through(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
