"""Folders of stored states, and the errors of the disk below them in words that say what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from haystack_deformer.representations.errors import RepresentationStoreError, StoreFullError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def make_folder(path: Path) -> None:
    """
    Make a folder and those above it, where they are missing.

    :param path: the folder.
    :raises RepresentationStoreError: a file stands in the way, or the folder above cannot be written to.
    """
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def refuse_file(path: Path) -> None:
    """
    Refuse a path that is there and is no folder.

    :param path: where a folder is, or will be made.
    :raises RepresentationStoreError: it is a file, or cannot be looked at.
    """
    with storage_errors(path):
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """
    Turn the system's errors into ones that say what to do.

    :param path: what is worked on, for the message.
    :raises StoreFullError: the disk has no room.
    :raises RepresentationStoreError: everything else.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StoreFullError(no_room_message(path)) from error
        if isinstance(error, FileExistsError | NotADirectoryError):
            msg = f"{path} is, or lies below, a file where a folder is expected: give another path"
        elif isinstance(error, PermissionError) or error.errno == errno.EROFS:
            msg = f"{path} cannot be written to ({error.strerror}): give write permission or another path"
        else:
            msg = f"{path}: {error.strerror or error}"
        raise RepresentationStoreError(msg) from error


def no_room_message(path: Path) -> str:
    """
    Say that the disk is full.

    :param path: what was written to.
    """
    return (
        f"No room on the disk for {path}: nothing of this call was stored, all that was stored before is still there. "
        f"Free some space (or raise the quota), then write again"
    )
