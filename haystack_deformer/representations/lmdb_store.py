"""The store on disk: LMDB, one folder, many reading processes and one that writes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import lmdb

from haystack_deformer.files import sync
from haystack_deformer.representations.errors import RepresentationStoreError, StoreCorruptError, StoreReadOnlyError
from haystack_deformer.representations.files import make_folder, refuse_file, storage_errors
from haystack_deformer.representations.generations import Generations
from haystack_deformer.representations.lmdb_environment import SharedEnvironment, registry
from haystack_deformer.representations.lmdb_errors import lmdb_errors
from haystack_deformer.representations.lmdb_prefetch import prefetch
from haystack_deformer.representations.store import (
    Buffer,
    RepresentationStore,
    StoreStatistics,
    check_keys,
    check_records,
)

T = TypeVar("T")
_GIB = 1 << 30
_KEYS_AT_ONCE = 1_000
_MEASURED = 100


class LmdbRepresentationStore(RepresentationStore):
    """
    Records in LMDB: batched reads that never wait for the writer, writes that survive kill -9.

    May be open in any number of processes and threads at once, several times in one process, and across a fork. Not on
    network file systems, whose locks and maps LMDB cannot rely on.

    :param path: the store's folder, made if it is missing.
    :param map_size: address space to begin with, in bytes; it grows by doubling.
    :param read_only: never write; a store must be there.
    :raises RepresentationStoreError: the path is a file, or cannot be read, or there is no store and none can be made.
    :raises StoreCorruptError: the data file is truncated or damaged.
    """

    def __init__(self, path: str | Path, map_size: int = _GIB, *, read_only: bool = False) -> None:
        self.path = Path(path).absolute()  # the process may change its folder later
        self._map_size = map_size
        self._generations = Generations(self.path)
        self._held: tuple[SharedEnvironment, int] | None = None
        self._closed = False
        self._read_only = read_only
        refuse_file(self.path)
        if not read_only and not self._generations.exists():
            self._generations.begin()
        with self._borrowed() as (environment, generation):
            if not read_only and not environment.read_only:
                self._generations.remove_older(generation)

    def prefetch(self, keys: Sequence[bytes]) -> None:
        """Ask the disk for records that are not in memory: see :meth:`RepresentationStore.prefetch`."""
        check_keys(keys)
        with self._borrowed() as (environment, _):
            prefetch(environment.data_file, keys)

    def read(self, keys: Sequence[bytes], use: Callable[[list[Buffer | None]], T]) -> T:
        """Read several records where LMDB maps them, in one transaction: see :meth:`RepresentationStore.read`."""
        check_keys(keys)
        return self._read(lambda txn: use([txn.get(key) for key in keys]), buffers=True)

    def contains(self, keys: Sequence[bytes]) -> list[bool]:
        """Tell which keys have a record: see :meth:`RepresentationStore.contains`."""
        check_keys(keys)

        def look(txn: lmdb.Transaction[bytes]) -> list[bool]:
            with txn.cursor() as cursor:
                return [bool(cursor.set_key(key)) for key in keys]

        return self._read(look)

    def put(self, records: Mapping[bytes, bytes]) -> None:
        """Store records in one transaction, on disk when this returns: see :meth:`RepresentationStore.put`."""
        check_records(records)
        self._require_writable()

        def write(txn: lmdb.Transaction[bytes], _environment: SharedEnvironment, _generation: int) -> None:
            for key in sorted(records):
                txn.put(key, records[key])

        if records:
            self._write(write)

    def delete(self, keys: Sequence[bytes], unless: Callable[[Buffer], bool] | None = None) -> int:
        """Remove records in one transaction: see :meth:`RepresentationStore.delete`."""
        check_keys(keys)
        self._require_writable()

        def remove(txn: lmdb.Transaction[bytes], _environment: SharedEnvironment, _generation: int) -> int:
            return sum(
                txn.delete(key)
                for key in sorted(keys)
                if unless is None or ((record := txn.get(key)) is not None and not unless(record))
            )

        return self._write(remove) if keys else 0

    def keys(self) -> Iterator[bytes]:
        """Go through the keys in ascending order, in short transactions: see :meth:`RepresentationStore.keys`."""
        batch = self._read(lambda txn: _keys_after(txn, b""))
        while batch:
            yield from batch
            after = batch[-1]
            batch = self._read(lambda txn, after=after: _keys_after(txn, after))  # type: ignore[misc]

    def __len__(self) -> int:
        return self._read(lambda txn: int(txn.stat()["entries"]))

    def statistics(self) -> StoreStatistics:
        """Count and measure what is stored: of more than 100 records, the size of all by that of the first 100."""

        def measure(txn: lmdb.Transaction[bytes]) -> tuple[int, int]:
            count = int(txn.stat()["entries"])
            with txn.cursor() as cursor:
                # not all: py-lmdb reads the whole of a record before it tells its length, and a store may have a
                # hundred gigabytes of them. Keys are digests, so that the first are as good as any
                sizes = [len(value) for value in itertools.islice(cursor.iternext(keys=False), _MEASURED)]
            return count, round(sum(sizes) / len(sizes) * count) if sizes else 0

        count, size = self._read(measure, buffers=True)
        with self._borrowed() as (environment, _):
            return StoreStatistics(count, size, environment.file_size())

    def compact(self) -> None:
        """
        Copy what is stored into a new generation and remove the old one. Writers wait meanwhile, readers do not.

        :raises StoreFullError: the disk has no room for the copy; the store stays as it was.
        :raises StoreReadOnlyError: the store can only be read.
        """
        self._require_writable()

        def copy(_txn: lmdb.Transaction[bytes], environment: SharedEnvironment, generation: int) -> None:
            self._generations.remove_newer(generation)
            folder = self._generations.folder(generation + 1)
            make_folder(folder)
            try:
                with storage_errors(folder):
                    environment.copy_to(folder / "data.mdb")
                    sync(folder)
                    sync(self.path)
                # the old generation's write lock is held: whoever writes next gets it after this, and looks again
                self._generations.switch(generation + 1)
            except BaseException:
                if self._generations.current() == generation:
                    self._generations.remove_newer(generation)
                raise

        self._write(copy)
        with self._borrowed() as (_, generation):
            self._generations.remove_older(generation)

    def close(self) -> None:
        """Let go of the environment; the last store on it in this process closes it. Closing twice is no error."""
        with registry.lock:
            self._closed = True
            held, self._held = self._held, None
            if held:
                registry.release(held[0])

    def __del__(self) -> None:
        # without waiting: the garbage collector may be running inside a transaction that a fork is waiting for
        if getattr(self, "_held", None) and registry.lock.acquire(blocking=False):
            try:
                self.close()
            finally:
                registry.lock.release()

    @contextmanager
    def _borrowed(self) -> Iterator[tuple[SharedEnvironment, int]]:
        """Have the environment of the generation that counts now, open until the end of the block."""
        with registry.lock:
            environment, generation = self._held = self._hold()
            environment.users += 1
        try:
            with lmdb_errors(self.path):
                yield environment, generation
        finally:
            registry.release(environment)

    def _hold(self) -> tuple[SharedEnvironment, int]:
        if self._closed:
            msg = f"The store in {self.path} was closed"
            raise RepresentationStoreError(msg)
        while True:
            generation = self._generations.current()
            held = self._held
            # one that could not be opened again, for want of memory, may be now
            if held and held[0].pid == os.getpid() and held[1] == generation and held[0].is_open:
                if held[0].is_current():
                    return held
                if self._generations.current() != generation:
                    continue  # a compaction in another process took it away just now
                # its codec, and what it knows to be there, were the removed one's
                msg = f"The store in {self.path} was removed or replaced while it was open: open it again"
                raise RepresentationStoreError(msg)
            environment = self._opened(generation)
            if environment is None:
                continue
            if held:
                registry.release(held[0])
            return environment, generation

    def _opened(self, generation: int) -> SharedEnvironment | None:
        """The environment of a generation; None where another process' compaction has taken it away meanwhile."""
        folder = self._generations.folder(generation)
        try:
            with lmdb_errors(self.path):
                environment = registry.acquire(folder, self._map_size)
        except (FileNotFoundError, RepresentationStoreError) as error:
            # at any step of the opening
            if self._generations.current() != generation:
                return None
            if isinstance(error, RepresentationStoreError):
                raise
            msg = f"{folder} is missing: remove {self.path} and index again"
            raise StoreCorruptError(msg) from error
        # what was opened may have been on its way out, already emptied
        if self._generations.current() != generation:
            registry.release(environment)
            return None
        return environment

    def _read(self, work: Callable[[lmdb.Transaction[bytes]], T], *, buffers: bool = False) -> T:
        while True:
            with self._borrowed() as (environment, _):
                try:
                    with environment.transaction(buffers=buffers) as txn:
                        return work(txn)
                except lmdb.MapResizedError:
                    environment.follow()

    def _write(self, work: Callable[[lmdb.Transaction[bytes], SharedEnvironment, int], T]) -> T:
        while True:
            with self._borrowed() as (environment, generation):
                size = environment.map_size()
                try:
                    with environment.transaction(write=True) as txn:
                        # only now: a compaction may have ended while this waited for the write lock
                        if self._generations.current() != generation:
                            continue
                        if not environment.swept:
                            self._generations.remove_newer(generation)
                            environment.swept = True
                        return work(txn, environment, generation)
                except lmdb.MapFullError:
                    environment.grow(size)
                except lmdb.MapResizedError:
                    environment.follow()
                except lmdb.PanicError:
                    environment.reopen()
                    raise

    def _require_writable(self) -> None:
        if not self._read_only:
            with self._borrowed() as (environment, _):
                if not environment.read_only:
                    return
        reason = "was opened with read_only" if self._read_only else "lies where this process may not write"
        msg = f"The store in {self.path} {reason}: open it otherwise, or give write permission, to change it"
        raise StoreReadOnlyError(msg)


def _keys_after(txn: lmdb.Transaction[bytes], after: bytes) -> list[bytes]:
    with txn.cursor() as cursor:
        # one more than the last key in order: the same with a zero byte behind it
        if not (cursor.set_range(after + b"\0") if after else cursor.first()):
            return []
        return list(itertools.islice(cursor.iternext(keys=True, values=False), _KEYS_AT_ONCE))
