"""The store's interface: bytes by key, read and written in batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias, TypeVar

S = TypeVar("S", bound="RepresentationStore")
T = TypeVar("T")

Buffer: TypeAlias = bytes | memoryview
"""A record: bytes, or a view of where the store has them."""

MAX_KEY_BYTES = 511
"""LMDB's limit; every backend keeps to it, so that records can move from one to another."""


@dataclass(frozen=True)
class StoreStatistics:
    """
    What a store holds.

    :param count: number of records.
    :param record_bytes: their sizes together, in bytes, keys not counted; of many on disk by those of some.
    :param disk_bytes: what the store takes on disk, in bytes; 0 in memory.
    """

    count: int
    record_bytes: int
    disk_bytes: int


class RepresentationStore(ABC):
    """
    Records by key. All methods are safe to call from several threads.

    Keys are bytes of length 1 to 511; every method raises ValueError for others.
    """

    def prefetch(self, keys: Sequence[bytes]) -> None:
        """
        Have records that are on the disk alone read in the background, for a `get` to come. No more than a hint.

        :param keys: the keys.
        """
        check_keys(keys)

    @abstractmethod
    def read(self, keys: Sequence[bytes], use: Callable[[list[Buffer | None]], T]) -> T:
        """
        Read several records in one go, from one state of the store, where they lie: no copy is made.

        :param keys: the keys, in any order, repeated or not.
        :param use: called with the record of each key, or None. The records end with the call, and what it makes of
            them must not be a view of one. It may be called again, where the store grew meanwhile.
        :returns: what `use` does.
        """

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """
        Read several records in one go, from one state of the store.

        :param keys: the keys, in any order, repeated or not.
        :returns: for each key its record, or None.
        """
        return self.read(keys, lambda records: [None if record is None else bytes(record) for record in records])

    @abstractmethod
    def contains(self, keys: Sequence[bytes]) -> list[bool]:
        """
        Tell which keys have a record, without reading it.

        :param keys: the keys.
        """

    @abstractmethod
    def put(self, records: Mapping[bytes, bytes]) -> None:
        """
        Store records, all of them or, on an error, none. What was stored under a key before is replaced.

        :param records: records by key.
        :raises StoreFullError: there is no room.
        :raises StoreReadOnlyError: the store can only be read.
        """

    @abstractmethod
    def delete(self, keys: Sequence[bytes], unless: Callable[[Buffer], bool] | None = None) -> int:
        """
        Remove records; keys without one are passed over.

        :param keys: the keys.
        :param unless: called with each record; where it returns True the record stays.
        :returns: how many records were removed.
        :raises StoreReadOnlyError: the store can only be read.
        """

    @abstractmethod
    def keys(self) -> Iterator[bytes]:
        """
        Go through the keys in ascending order.

        Records may be written and removed meanwhile; which of those are gone through is not said.
        """

    @abstractmethod
    def __len__(self) -> int:
        """Number of records."""

    @abstractmethod
    def statistics(self) -> StoreStatistics:
        """Count and measure what is stored."""

    @abstractmethod
    def compact(self) -> None:
        """Give the room of removed records back to the disk."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the store; what is stored stays, where it is stored on disk. Closing twice is no error."""

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def check_keys(keys: Iterable[bytes]) -> None:
    """
    Refuse what cannot be a key.

    :param keys: the keys.
    :raises ValueError: one of them is not bytes of length 1 to 511.
    """
    for key in keys:
        if not isinstance(key, bytes) or not 1 <= len(key) <= MAX_KEY_BYTES:
            msg = f"A key must be bytes of length 1 to {MAX_KEY_BYTES}, got {key!r:.80}"
            raise ValueError(msg)


def check_records(records: Mapping[bytes, bytes]) -> None:
    """
    Refuse what cannot be stored, before anything of it is.

    :param records: records by key.
    :raises ValueError: a key is not bytes of length 1 to 511, or a record is not bytes.
    """
    check_keys(records)
    for key, record in records.items():
        if not isinstance(record, bytes):
            msg = f"A record must be bytes, got {type(record).__name__} under the key {key.hex()}"
            raise ValueError(msg)
