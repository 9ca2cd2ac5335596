"""Stored states read by a thread of their own while the question is computed, on another core than that."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from haystack_deformer.representations import PassageRepresentation, Representations, decode_without_helpers
from haystack_deformer.runtime.threads import ForkableThreadPool

_current_core = getattr(ctypes.CDLL(None), "sched_getcpu", None) if hasattr(os, "sched_setaffinity") else None


class ReadAhead:
    """Threads that read. Of use where a question leaves cores free: see `Runtime.leaves_cores`."""

    def __init__(self) -> None:
        self._pool = ForkableThreadPool(thread_name_prefix="deformer-read", initializer=decode_without_helpers)

    def start(
        self, representations: Representations, keys: Sequence[bytes]
    ) -> Callable[[], list[PassageRepresentation | None]]:
        """
        Begin to read.

        :param representations: where.
        :param keys: of the passages.
        :return: waits for what `representations.get` returns, or raises what it raises.
        """
        try:
            return self._pool.submit(_read, representations, keys, _other_cores()).result
        except RuntimeError:
            # at a limit of threads: slower, and of no matter but for that
            return partial(_read, representations, keys, set())


def _read(
    representations: Representations, keys: Sequence[bytes], cores: set[int]
) -> list[PassageRepresentation | None]:
    if cores:
        # Linux was seen to wake the thread on the core of the one that computes, which then waits as long as this
        # reads, while the other core does nothing
        with suppress(OSError):
            os.sched_setaffinity(0, cores)
    representations.prefetch(keys)
    return representations.get(keys)


def _other_cores() -> set[int]:
    """Those that the calling thread may run on and does not run on now; none where that cannot be said."""
    return set() if _current_core is None else os.sched_getaffinity(0) - {_current_core()}
