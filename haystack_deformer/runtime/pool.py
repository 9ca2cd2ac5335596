"""Threads that each run a batch of windows by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from typing import TypeVar

import torch

from haystack_deformer.runtime.threads import ForkableThreadPool

Result = TypeVar("Result")


class WindowPool:
    """
    As many threads as PyTorch uses, each alone with its batch: within a product no thread waits for another.

    On 2 cores ten passages took 17% less time than with both threads in every product.

    :param threads: how many; None: as many as PyTorch uses when the pool is made.
    :param initializer: called once by each thread when it starts.
    """

    def __init__(self, threads: int | None = None, initializer: Callable[[], object] | None = None) -> None:
        self.threads = threads or torch.get_num_threads()
        self._executor = ForkableThreadPool(
            max_workers=self.threads, thread_name_prefix="deformer-windows", initializer=initializer
        )

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
        apart = len(batches) - together
        step = max(at_once, self.threads)
        for first in range(0, apart, step):
            futures = {self._executor.submit(work, batch): batch for batch in batches[first : min(first + step, apart)]}
            for future in as_completed(futures):
                yield futures[future], future.result()
        for batch in batches[apart:]:
            yield batch, work(batch)
