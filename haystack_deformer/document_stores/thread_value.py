"""A value that a thread sets for what it does while a block runs, and no other thread sees."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class ThreadValue(Generic[T]):
    """
    One value for each thread.

    :param usual: outside of all blocks.
    """

    def __init__(self, usual: T) -> None:
        self._usual = usual
        self._set = threading.local()

    def get(self) -> T:
        """The value of this thread."""
        value: T = getattr(self._set, "value", self._usual)
        return value

    @contextmanager
    def during(self, value: T) -> Iterator[None]:
        """
        Set the value of this thread while the block runs.

        :param value: for what is done in it.
        """
        before = self.get()
        self._set.value = value
        try:
            yield
        finally:
            self._set.value = before
