"""Many may be inside at once, or one alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """A readers-writer lock that lets nobody new in while someone waits to be alone."""

    def __init__(self) -> None:
        # taken by itself: an interrupt in the condition's own way to it would leave it taken
        self._lock = threading.Lock()
        self._condition = threading.Condition(self._lock)
        self._turn = threading.Lock()
        self._closed = False
        self._inside = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Be inside with others."""
        entered = False
        try:
            with self._lock:
                while self._closed:
                    self._condition.wait()
                self._inside += 1
                entered = True
            yield
        finally:
            if entered:
                with self._lock:
                    self._inside -= 1
                    self._condition.notify_all()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Be inside alone."""
        self.close()
        try:
            yield
        finally:
            self.open()

    def close(self) -> None:
        """Wait for everyone to leave, and let nobody in until :meth:`open`."""
        self._turn.acquire()
        try:
            with self._lock:
                self._closed = True
                while self._inside:
                    self._condition.wait()
        except BaseException:
            # an interrupt: who comes after would wait for ever
            self.open()
            raise

    def open(self) -> None:
        """Let others in again."""
        with self._lock:
            self._closed = False
            self._condition.notify_all()
        self._turn.release()
