"""LMDB environments of this process: each opened once, shared by all stores on it, made anew after a fork."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import lmdb

from haystack_deformer.file_lock import taking_turns
from haystack_deformer.files import write_first
from haystack_deformer.representations.files import storage_errors
from haystack_deformer.representations.gate import Gate
from haystack_deformer.representations.lmdb_pages import check_data_file

logger = logging.getLogger(__name__)

_MAX_READERS = 1022
_LOCK_FILE_SIZE = 65_536  # 64 bytes per reader and two for the heads


class SharedEnvironment:
    """
    One open LMDB environment.

    :param path: its folder, which must exist.
    :param map_size: bytes of address space to begin with; it grows when needed.
    :raises FileNotFoundError: the folder is gone.
    :raises StoreCorruptError: the data file is truncated, or is not LMDB's.
    """

    def __init__(self, path: Path, map_size: int) -> None:
        self.path = path
        self.data_file = path / "data.mdb"
        self.pid = os.getpid()
        self.users = 0
        self.swept = False
        self._gate = Gate()
        self._map_size = map_size
        self.read_only = not _writable(path)
        self._env: Any = self._open()

    def _open(self) -> lmdb.Environment:
        check_data_file(self.data_file)
        lock = True
        if self.read_only:
            # without the lock file no writer can tell what is being read
            lock = os.access(self.path / "lock.mdb", os.R_OK | os.W_OK)
            if not lock:
                logger.warning(
                    "%s cannot be written to and is read without locks: nobody must write to it now", self.path
                )
        elif not (self.path / "lock.mdb").exists():
            # LMDB maps a file of holes; on a full disk the first use of one would kill the process (SIGBUS)
            with storage_errors(self.path):
                write_first(self.path / "lock.mdb", bytes(_LOCK_FILE_SIZE))
        env = lmdb.open(
            str(self.path),
            map_size=self._map_size,
            max_readers=_MAX_READERS,
            readonly=self.read_only,
            lock=lock,
            create=False,
            # records are read at random: what lies beside one is not wanted
            readahead=False,
        )
        if lock:
            env.reader_check()
        self._file = _identity(self.data_file)
        self.is_open = True
        return env

    @contextmanager
    def transaction(self, *, write: bool = False, buffers: bool = False) -> Iterator[lmdb.Transaction[bytes]]:
        """
        Run a transaction: committed at the end, aborted on an error.

        :param write: whether to take the write lock, of which there is one in all processes.
        :param buffers: whether records come as views that end with the transaction, in place of bytes.
        """
        # LMDB's own write lock, which keeps writers apart, is waited for inside the gate, where who waits keeps a
        # larger map away from all readers
        turn = taking_turns(self.path.parent / "write.lock") if write else nullcontext()
        with turn, self._gate.shared():
            txn = self._begin(write, buffers)
            try:
                yield txn
            except BaseException:
                txn.abort()
                raise
            if write:
                txn.commit()
            else:
                txn.abort()

    def is_current(self) -> bool:
        """Whether the file at its path is still the one that is open: not where the folder was removed or made anew."""
        return self.is_open and _identity(self.data_file) == self._file

    def _begin(self, write: bool, buffers: bool) -> Any:
        try:
            return self._env.begin(write=write, buffers=buffers)
        except lmdb.ReadersFullError:
            self._env.reader_check()
            return self._env.begin(write=write, buffers=buffers)

    def copy_to(self, file: Path) -> None:
        """
        Copy what is committed, without the free pages, onto the disk. To be called inside a transaction.

        :param file: the `data.mdb` to make.
        """
        # not Environment.copy: it writes with O_DIRECT, where a disk that fills up shows as "invalid argument"
        with file.open("xb") as copy:
            self._env.copyfd(copy.fileno(), compact=True)
            os.fsync(copy.fileno())

    def file_size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in _files(self.path))

    def map_size(self) -> int:
        """Bytes of address space in use."""
        with self._gate.shared():
            return int(self._env.info()["map_size"])

    def grow(self, seen: int) -> None:
        """
        Double the map, unless another thread did so meanwhile. LMDB wants no transaction in this process then.

        :param seen: the map's size when it was found full.
        """
        with self._gate.exclusive():
            # a reader that was killed keeps what was freed since from being used again
            if not self._env.reader_check() and self._env.info()["map_size"] <= seen:
                self._set_map_size(2 * seen)

    def follow(self) -> None:
        """Take over the map's size from another process that made it grow."""
        with self._gate.exclusive():
            self._set_map_size(0)

    def _set_map_size(self, size: int) -> None:
        try:
            self._env.set_mapsize(size)
        except lmdb.Error:
            # no room for the larger map: LMDB has let go of the smaller one, with which reading goes on
            self._open_again()
            raise

    def reopen(self) -> None:
        """Begin anew after LMDB has declared the environment unusable, as it does when it fails to write its head."""
        with self._gate.exclusive():
            self._open_again()

    def _open_again(self) -> None:
        self._env.close()
        try:
            self._env = self._open()
        except BaseException:
            # not before: whoever finds it closed opens another, and LMDB forbids two in a process
            self.is_open = False
            raise

    def pause(self) -> None:
        """Wait for this process' transactions to end and let none begin."""
        self._gate.close()

    def resume(self) -> None:
        """Let transactions begin again."""
        self._gate.open()

    def close(self) -> None:
        """Close the environment; there must be no transaction."""
        self.is_open = False
        self._env.close()


class EnvironmentRegistry:
    """The open environments by folder. LMDB forbids opening one twice in a process: its locks belong to the process."""

    def __init__(self) -> None:
        # reentrant: the garbage collector may close a store in the middle of anything
        self.lock = threading.RLock()
        self._environments: dict[str, SharedEnvironment] = {}
        self._paused: list[SharedEnvironment] = []

    def acquire(self, path: Path, map_size: int) -> SharedEnvironment:
        """
        Open an environment, or take part in one that is open.

        :param path: its folder.
        :param map_size: bytes of address space to begin with.
        """
        with self.lock:
            name = os.path.realpath(path)
            found = self._environments.get(name)
            if found is not None:
                # counted before it is looked at: the garbage collector may close the last store on it meanwhile
                found.users += 1
                if found.is_current():
                    return found
                # one whose file was removed is left to those who hold it: what they write is lost
                self.release(found)
            found = self._environments[name] = SharedEnvironment(Path(name), map_size)
            found.users += 1
            return found

    def release(self, environment: SharedEnvironment) -> None:
        """
        Leave an environment; the last one closes it.

        :param environment: from `acquire`; one from before a fork is left alone.
        """
        with self.lock:
            if environment.pid != os.getpid():
                return
            environment.users -= 1
            if environment.users == 0:
                name = str(environment.path)
                if self._environments.get(name) is environment:
                    del self._environments[name]
                environment.close()

    def before_fork(self) -> None:
        """Wait for all transactions to end: a child that inherited one would clear the parent's reader slot."""
        self.lock.acquire()
        self._paused = []
        # the garbage collector may take one away meanwhile
        for environment in list(self._environments.values()):
            environment.pause()
            self._paused.append(environment)

    def after_fork_in_parent(self) -> None:
        """Go on. Where a signal ended the waiting Python forks all the same, and some were not paused."""
        try:
            for environment in self._paused:
                environment.resume()
        finally:
            self._paused = []
            self.lock.release()

    def after_fork_in_child(self) -> None:
        """Close what belongs to the parent (LMDB leaves its locks alone) and begin with nothing open."""
        for environment in self._environments.values():
            environment.close()
        self._environments = {}
        self.lock = threading.RLock()


registry = EnvironmentRegistry()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=registry.before_fork,
        after_in_parent=registry.after_fork_in_parent,
        after_in_child=registry.after_fork_in_child,
    )


def _identity(file: Path) -> tuple[int, int] | None:
    """What tells a file from another one that took its name; it is not given to others while the file is open."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _files(path: Path) -> list[Path]:
    return [file for file in (path / "data.mdb", path / "lock.mdb") if file.exists()]


def _writable(path: Path) -> bool:
    files = _files(path)
    return all(os.access(p, os.W_OK) for p in (files if len(files) == 2 else [path, *files]))
