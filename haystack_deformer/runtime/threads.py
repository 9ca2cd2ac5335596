"""A pool of threads that a forked process makes anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


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
