"""Files that are whole or not there, and a lock that one has."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.file_lock import FileLock
from haystack_deformer.files import write_atomically, write_first


def test_the_first_keeps_it(tmp_path: Path) -> None:
    assert write_first(tmp_path / "file", b"one")
    assert not write_first(tmp_path / "file", b"two")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"one"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def link(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    test_the_first_keeps_it(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        write_first(tmp_path / "other", b"one")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_without_room_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomically(tmp_path / "file", b"one")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        write_atomically(tmp_path / "file", b"two")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"one"


def test_a_lock_that_a_fork_took_along(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        FileLock(tmp_path / "lock")
    context = multiprocessing.get_context("fork")
    end = context.Event()
    child = context.Process(target=end.wait)
    child.start()
    try:
        lock.release()
        FileLock(tmp_path / "lock").release()
    finally:
        end.set()
        child.join()


def test_a_lock_that_nobody_holds_any_more_is_free(tmp_path: Path) -> None:
    """As when an interrupt comes before it is given to whoever is to release it."""
    FileLock(tmp_path / "lock")
    gc.collect()
    FileLock(tmp_path / "lock").release()


def test_a_forked_process_that_forgets_a_lock_leaves_it_to_its_parent(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    child = os.fork()
    if not child:
        del lock
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(BlockingIOError):
        FileLock(tmp_path / "lock")
    lock.release()
