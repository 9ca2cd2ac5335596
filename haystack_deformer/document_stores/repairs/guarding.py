"""One thread at a time, for what Haystack's stores keep in memory without a lock: a server has many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from inspect import isgenerator
from typing import Any, TypeVar

from haystack_deformer.document_stores.repairs.sessions import undone_on_error

T = TypeVar("T", bound=type)


class Guarded:
    """
    A mixin to put between the hook and a Haystack store; see :func:`guards`.

    It has no `__init__`, which Haystack would have to wrap: a lock is made by the first who needs it.
    """

    _making_guard = threading.Lock()

    @property
    def guard(self) -> threading.RLock:
        """Held by whoever looks at or changes what the store has in memory."""
        return self._made("_guard")

    @property
    def label_guard(self) -> threading.RLock:
        """Held by whoever looks at or changes labels: no question is to wait for feedback."""
        return self._made("_label_guard")

    def _made(self, name: str) -> threading.RLock:
        found = self.__dict__.get(name)
        if found is None:
            with self._making_guard:
                found = self.__dict__.setdefault(name, threading.RLock())
        return found


def guards(*names: str, by: str = "guard") -> Callable[[T], T]:
    """
    Make methods of the parents wait for each other.

    :param names: of the methods.
    :param by: the lock, an attribute of :class:`Guarded`.
    """

    def decorate(cls: T) -> T:
        for name in names:
            setattr(cls, name, _guarded(cls, name, by))
        return cls

    return decorate


def _guarded(cls: type, name: str, by: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with getattr(self, by), undone_on_error(getattr(self, "session", None)):
            result = getattr(super(cls, self), name)(*args, **kwargs)
            # a generator would run when nobody holds the lock; a generator it stays, for what comes after
            return _generator(list(result)) if isgenerator(result) else result

    method.__name__ = name
    method.__qualname__ = f"{cls.__qualname__}.{name}"
    method.__doc__ = "As the parent does, one thread at a time."
    return method


def _generator(items: list[Any]) -> Any:
    yield from items
