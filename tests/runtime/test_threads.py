"""Pools of threads leave the rest of the process as it is, and live through a fork."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest
import torch

from haystack_deformer.runtime import threads
from haystack_deformer.runtime.pool import WindowPool
from haystack_deformer.runtime.threads import stay_alone


def in_fresh_thread() -> int:
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return seen[0]


def test_windows_have_a_thread_each_and_others_keep_theirs() -> None:
    usual = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        pool = WindowPool(initializer=stay_alone)
        # so that every thread has begun when the first one ends
        together = threading.Barrier(3)

        def work(_batch: Sequence[int]) -> int:
            together.wait(60)
            return torch.get_num_threads()

        assert [alone for _, alone in pool.run(work, [[0], [1], [2]], 3)] == [1, 1, 1]
        assert torch.get_num_threads() == in_fresh_thread() == 3
    finally:
        torch.set_num_threads(usual)


def test_the_last_are_done_by_the_caller_with_all_threads_when_the_others_are() -> None:
    usual = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        pool = WindowPool(initializer=stay_alone)
        done: list[tuple[int, int, bool]] = []
        # so that both threads have begun when the first one ends
        begun = threading.Barrier(2)

        def work(batch: Sequence[int]) -> int:
            if batch[0] < 2:
                begun.wait(60)
            done.append((batch[0], torch.get_num_threads(), threading.current_thread() is threading.main_thread()))
            return batch[0]

        # two at once: no step takes one of the last along
        batches = [[number] for number in range(7)]
        assert sorted(result for _, result in pool.run(work, batches, 2, together=2)) == list(range(7))
        assert done[5:] == [(5, 2, True), (6, 2, True)]
        assert sorted(done[:5]) == [(number, 1, False) for number in range(5)]
    finally:
        torch.set_num_threads(usual)


def test_nothing_is_done_together_while_others_run() -> None:
    pool = WindowPool(2)
    tokens = [160] * 3
    assert pool.together(tokens) == 1
    results = pool.run(lambda batch: batch[0], [[0], [1], [2]], 2)
    next(iter(results))
    assert pool.together(tokens) == 0
    # one is done by all threads in any case
    assert pool.together([160]) == 1
    assert len(list(results)) == 2
    assert pool.together(tokens) == 1


def test_where_no_thread_can_be_started_the_pool_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a limit of threads: an error in a thread's beginning would end the pool for good."""
    usual = torch.get_num_threads()
    # those of a pool begin by themselves
    pool = WindowPool(2, initializer=stay_alone)

    def fail(_thread: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    # what stay_alone starts, and not what the pool does
    monkeypatch.setattr(threads, "Thread", type("Thread", (threading.Thread,), {"start": fail}))
    for _ in range(2):
        assert sorted(done for _, done in pool.run(lambda batch: batch[0], [[1], [2]], 2)) == [1, 2]
    assert in_fresh_thread() == usual


def test_a_forked_process_has_threads_of_its_own() -> None:
    """In a process of its own: one that has many threads is not to be forked."""
    script = """
import os
import torch
from haystack_deformer.runtime.pool import WindowPool
torch.set_num_threads(2)
pool = WindowPool(2)
work = lambda batch: batch[0] * 2
assert sorted(done for _, done in pool.run(work, [[1], [2]], 2)) == [2, 4]
child = os.fork()
if not child:
    found = sorted(done for _, done in pool.run(work, [[3], [4]], 2))
    # the thread that forked has one, which is not what a model that is loaded now should run on
    right = found == [6, 8] and WindowPool().threads == 2
    # and once more, as a server's worker may
    grandchild = os.fork()
    if not grandchild:
        os._exit(0 if WindowPool().threads == 2 else 1)
    os._exit(0 if right and os.waitpid(grandchild, 0)[1] == 0 else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_the_thread_that_forked_waits_for_no_helper() -> None:
    """OpenMP's threads do not come along: a product, or a codec, that counts on them would never come to its end."""
    script = """
import os
import faiss, numpy as np, torch
from haystack_deformer.representations.codec import RepresentationCodec
from haystack_deformer.runtime.pool import WindowPool
from haystack_deformer.runtime.threads import stay_alone
torch.set_num_threads(2)
faiss.omp_set_num_threads(2)
codec = RepresentationCodec("SQfp16", 768)
vectors = np.ones((400, 768), np.float32)
codec.train(vectors)
pool = WindowPool(2, stay_alone)
matrix = torch.ones(512, 512)
def work(batch=None):
    assert (codec.decode(codec.encode(vectors)) == vectors).all()
    return float((matrix @ matrix).sum())
expected = work()
child = os.fork()
if not child:
    os._exit(0 if work() == expected and len(list(pool.run(work, [[1], [2]], 2))) == 2 else 1)
assert os.waitpid(child, 0)[1] == 0
assert torch.get_num_threads() == 2
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_after_an_error_the_rest_is_not_done() -> None:
    pool, begun, failed = WindowPool(1), list[int](), threading.Event()

    def work(batch: Sequence[int]) -> None:
        begun.append(batch[0])
        if batch[0] == 0:
            raise ValueError
        failed.wait(60)

    with pytest.raises(ValueError):  # the test's own
        list(pool.run(work, [[number] for number in range(20)], 20))
    failed.set()
    assert list(pool.run(lambda batch: batch[0], [[7]], 1)) == [([7], 7)]
    assert begun in ([0], [0, 1])
