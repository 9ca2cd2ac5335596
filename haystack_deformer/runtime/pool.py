"""Threads that each run a batch of windows by themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from typing import TypeVar

from haystack_deformer.runtime.batching import left_together
from haystack_deformer.runtime.threads import ForkableThreadPool, usual_threads

Result = TypeVar("Result")


class WindowPool:
    """
    As many threads as PyTorch uses, each alone with its batch: within a product no thread waits for another.

    On 2 cores ten passages took 17% less time than with both threads in every product.

    :param threads: how many; None: as many as PyTorch uses when the pool is made.
    :param initializer: called once by each thread when it starts.
    """

    def __init__(self, threads: int | None = None, initializer: Callable[[], object] | None = None) -> None:
        self.threads = threads or usual_threads()
        self._executor = ForkableThreadPool(
            max_workers=self.threads, thread_name_prefix="deformer-windows", initializer=initializer
        )
        # with their processes: a forked one has none of its parent's
        self._running: dict[object, int] = {}

    def together(self, tokens: Sequence[int]) -> int:
        """
        How many of the last batches all threads do together best. None while others run, for then no thread is idle:
        two clients in int8 had 9% fewer questions answered.

        :param tokens: of each batch, in the order in which threads take them.
        """
        if len(tokens) > 1 and os.getpid() in list(self._running.values()):
            return 0
        return left_together(tokens, self.threads)

    def run(
        self, work: Callable[[Sequence[int]], Result], batches: Sequence[list[int]], at_once: int, together: int = 0
    ) -> Iterator[tuple[list[int], Result]]:
        """
        Do all batches, in the order in which they are done.

        :param work: called with a batch.
        :param batches: positions of windows; the longest first, so that no thread is left alone with one at the end.
        :param at_once: batches that may be done and wait to be taken.
        :param together: of the last batches, that the caller's thread does after the others, with all threads in each.
        """
        count = len(batches) - together
        apart, last = batches[:count], batches[count:]
        step = max(at_once, self.threads)
        this = object()
        self._running[this] = os.getpid()
        futures: dict[Future[Result], list[int]] = {}
        try:
            for first in range(0, count, step):
                futures = {self._executor.submit(work, batch): batch for batch in apart[first : first + step]}
                for future in as_completed(futures):
                    yield futures[future], future.result()
            for batch in last:
                yield batch, work(batch)
        finally:
            del self._running[this]
            # after an error, or when nobody takes the rest, the next question need not wait for it
            for future in futures:
                future.cancel()
