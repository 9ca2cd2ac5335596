"""One thread at a time, for what Haystack's stores keep in memory without a lock: a server has many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from inspect import isgenerator
from typing import Any, TypeVar

T = TypeVar("T", bound=type)


class Guarded:
    """
    A mixin to put between the hook and a Haystack store; see :func:`guards`.

    It has no `__init__`, which Haystack would have to wrap: the lock is made by the first who needs it.
    """

    _making_guard = threading.Lock()

    @property
    def guard(self) -> threading.RLock:
        """Held by whoever looks at or changes what the store has in memory."""
        found = self.__dict__.get("_guard")
        if found is None:
            with self._making_guard:
                found = self.__dict__.setdefault("_guard", threading.RLock())
        return found


def guards(*names: str) -> Callable[[T], T]:
    """
    Make methods of the parents wait for each other.

    :param names: of the methods.
    """

    def decorate(cls: T) -> T:
        for name in names:
            setattr(cls, name, _guarded(cls, name))
        return cls

    return decorate


def _guarded(cls: type, name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self.guard:
            try:
                result = getattr(super(cls, self), name)(*args, **kwargs)
            except BaseException:
                # else all that this thread asks of the store later fails as well
                if session := getattr(self, "session", None):
                    session.rollback()
                raise
            # a generator would run when nobody holds the lock; a generator it stays, for what comes after
            return _generator(list(result)) if isgenerator(result) else result

    method.__name__ = name
    method.__qualname__ = f"{cls.__qualname__}.{name}"
    method.__doc__ = "As the parent does, one thread at a time."
    return method


def _generator(items: list[Any]) -> Any:
    yield from items
