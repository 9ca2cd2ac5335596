"""A pool of threads that a forked process makes anew, and threads whose products have no helpers."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, Thread
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")

_setting = Lock()


class ForkableThreadPool:
    """
    Python's pool of threads, but for a fork: threads do not come along, and work given to theirs would wait for ever.

    Servers fork after they loaded a model (gunicorn's `preload_app`, Celery's workers).

    :param options: of `ThreadPoolExecutor`.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._made: tuple[int, ThreadPoolExecutor] | None = None

    def submit(self, work: Callable[..., Result], *args: Any) -> Future[Result]:
        """
        Have a thread do something.

        :param work: called with `args`.
        :param args: for it.
        """
        made = self._made
        if made is None or made[0] != os.getpid():
            # two threads at once may make two: the first is let go when its work is done
            made = self._made = (os.getpid(), ThreadPoolExecutor(**self._options))
        return made[1].submit(work, *args)


def usual_threads() -> int:
    """How many threads PyTorch uses in a product, whatever the calling thread was told: one that forked uses one."""
    found: list[int] = []
    other = Thread(target=lambda: found.append(torch.get_num_threads()))
    try:
        other.start()
    except RuntimeError:
        # there is no room for a thread
        return torch.get_num_threads()
    other.join()
    return found[0]


def stay_alone() -> None:
    """
    Have PyTorch use one thread in the products of the calling thread, and as many as before in all others'.

    A thread whose very first product falls between the two calls begins with one as well, as all would without this.
    Where no thread can be started, all is left as it was.
    """
    with _setting:
        # a thread that has not asked yet is given the number of all at its first product, whatever it was told
        torch.get_num_threads()
        # not this thread's: it may be one that forked, and have one
        usual = usual_threads()
        torch.set_num_threads(1)
        # the call also says what threads begin with that are started later, and one that ends at once says it again
        other = Thread(target=torch.set_num_threads, args=(usual,))
        try:
            other.start()
        except RuntimeError:
            # slower, and of no matter but for that: an error here would end the pool that the thread belongs to
            torch.set_num_threads(usual)
            return
        other.join()


if hasattr(os, "register_at_fork"):
    # else a process that is forked while a thread sets its number would find it held by nobody
    os.register_at_fork(before=_setting.acquire, after_in_parent=_setting.release, after_in_child=_setting.release)
    # the thread that forked has lost its helpers, and its products would wait for them for ever
    os.register_at_fork(after_in_child=stay_alone)
