"""LMDB's errors in words that say what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from haystack_deformer.representations.errors import RepresentationStoreError, StoreCorruptError, StoreFullError
from haystack_deformer.representations.files import NO_ROOM, no_room_message

_CORRUPT = (lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError, lmdb.VersionMismatchError)


@contextmanager
def lmdb_errors(path: Path) -> Iterator[None]:
    """
    Turn LMDB's errors into this package's.

    :param path: the store's folder, for the message.
    :raises StoreFullError: the disk has no room.
    :raises StoreCorruptError: the data file is damaged, or is not LMDB's.
    :raises RepresentationStoreError: everything else.
    """
    try:
        yield
    except lmdb.Error as error:
        code = getattr(error, "code", 0)
        if code in NO_ROOM:
            raise StoreFullError(no_room_message(path)) from error
        if code == errno.EIO:
            # LMDB's word for a write that stopped half-way, which is how a disk that fills up shows first
            msg = f"{no_room_message(path)}. (If there is room, the disk itself is failing: see the system's log)"
            raise StoreFullError(msg) from error
        if isinstance(error, _CORRUPT):
            msg = f"The store in {path} is damaged ({error}): restore it from a backup, or remove it and index again"
            raise StoreCorruptError(msg) from error
        if isinstance(error, lmdb.TxnFullError):
            msg = f"Too much was put into {path} at once: put fewer records per call. Nothing of this call was stored"
        elif isinstance(error, lmdb.ReadersFullError):
            msg = f"Too many threads and processes read {path} at once: close some of them"
        elif isinstance(error, lmdb.LockError):
            # each process locks the byte of its number, and containers number their processes alike
            msg = (
                f"The store in {path} is open in another container, in a process with this one's number, "
                f"{os.getpid()}: let both share their process numbers (docker's --pid, compose's pid, Kubernetes' "
                "shareProcessNamespace)"
            )
        elif code == errno.ENOMEM:
            msg = f"There is not enough memory or address space to map the store in {path}: raise the limit (ulimit -v)"
        else:
            msg = f"The store in {path} cannot be used: {error}"
        raise RepresentationStoreError(msg) from error
