"""Parameters as they come from Python, YAML and the environment, where all are strings."""

from __future__ import annotations

from typing import Any

_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


def coerce(name: str, value: Any, kind: type, *, optional: bool = False) -> Any:
    """
    A value of the kind that a parameter wants.

    :param name: of the parameter, for the message.
    :param value: what was given.
    :param kind: int, float or bool.
    :param optional: whether None, or the empty string of the environment, stands for "not given".
    :raises ValueError: names the parameter and the value.
    """
    if optional and (value is None or value == ""):
        return None
    if kind is bool:
        word = str(value).strip().lower()
        if isinstance(value, (bool, str)) and word in _TRUE | _FALSE:
            return word in _TRUE
    # int(2.5) would round and int(True) would count: neither is what was meant
    elif not isinstance(value, bool) and isinstance(value, (str, kind, int)):
        try:
            return kind(value)
        except ValueError:
            pass
    msg = f"{name} must be {'a boolean' if kind is bool else f'of type {kind.__name__}'}, got {value!r}."
    raise ValueError(msg)


def check_top_k(name: str, value: Any) -> int:
    """
    A count that must be positive.

    :param name: of the parameter, for the message.
    :param value: what was given.
    :raises ValueError: where it is no integer or below 1.
    """
    count = coerce(name, value, int)
    if count < 1:
        msg = f"{name} must be at least 1, got {value!r}."
        raise ValueError(msg)
    return int(count)
