"""A store that lives and dies with its process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from haystack_deformer.representations.store import (
    Buffer,
    RepresentationStore,
    StoreStatistics,
    check_keys,
    check_records,
)

T = TypeVar("T")


class MemoryRepresentationStore(RepresentationStore):
    """Records in a dictionary."""

    def __init__(self) -> None:
        self._records: dict[bytes, bytes] = {}
        self._lock = threading.Lock()

    def read(self, keys: Sequence[bytes], use: Callable[[list[Buffer | None]], T]) -> T:
        """Read several records, from one state of the store: see :meth:`RepresentationStore.read`."""
        check_keys(keys)
        with self._lock:
            records: list[Buffer | None] = [self._records.get(key) for key in keys]
        # bytes stay what they are, whatever is written meanwhile
        return use(records)

    def contains(self, keys: Sequence[bytes]) -> list[bool]:
        """Tell which keys have a record: see :meth:`RepresentationStore.contains`."""
        check_keys(keys)
        with self._lock:
            return [key in self._records for key in keys]

    def put(self, records: Mapping[bytes, bytes]) -> None:
        """Store records: see :meth:`RepresentationStore.put`."""
        check_records(records)
        with self._lock:
            self._records.update(records)

    def delete(self, keys: Sequence[bytes], unless: Callable[[Buffer], bool] | None = None) -> int:
        """Remove records: see :meth:`RepresentationStore.delete`."""
        check_keys(keys)
        with self._lock:
            return sum(
                self._records.pop(key, None) is not None
                for key in keys
                if unless is None or (key in self._records and not unless(self._records[key]))
            )

    def keys(self) -> Iterator[bytes]:
        """Go through the keys there are at the call, in ascending order."""
        with self._lock:
            return iter(sorted(self._records))

    def __len__(self) -> int:
        with self._lock:
            return len(self._records)

    def statistics(self) -> StoreStatistics:
        """Count and measure what is stored."""
        with self._lock:
            return StoreStatistics(len(self._records), sum(map(len, self._records.values())), disk_bytes=0)

    def compact(self) -> None:
        """Do nothing: a dictionary gives back what it no longer holds."""

    def close(self) -> None:
        """Forget all records."""
        with self._lock:
            self._records.clear()
