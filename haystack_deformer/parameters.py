"""Parameters as they come from Python, from YAML, and from Haystack's environment variables, where all are text."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from numbers import Integral, Real
from pathlib import Path
from typing import Any

_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


def as_int(name: str, value: Any, least: int = 1) -> int:
    """
    A whole number.

    :param name: of the parameter, for the message.
    :param value: what was given.
    :param least: the smallest that makes sense.
    :raises ValueError: where it is no whole number, or too small.
    """
    # int(2.5) would round and int(True) would count: neither is what was meant
    if isinstance(value, (Integral, str)) and not isinstance(value, bool):
        with suppress(ValueError):
            if (number := int(value)) >= least:
                return number
    msg = f"{name} must be a whole number of at least {least}, got {value!r}."
    raise ValueError(msg)


def with_paths_as_text(parameters: dict[str, Any]) -> dict[str, Any]:
    """
    Parameters as YAML keeps them: it would write a path in a form that nobody reads.

    :param parameters: by name.
    """
    return {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in parameters.items()}


def as_optional_int(name: str, value: Any, least: int = 1) -> int | None:
    """
    A whole number or None, for which an environment variable has the empty text.

    :param name: of the parameter, for the message.
    :param value: what was given.
    :param least: the smallest that makes sense.
    :raises ValueError: where it is no whole number, or too small.
    """
    return None if value is None or value == "" else as_int(name, value, least)


def as_float(name: str, value: Any) -> float:
    """
    A number.

    :param name: of the parameter, for the message.
    :param value: what was given.
    :raises ValueError: where it is none, NaN included: it stands in no order with others.
    """
    if isinstance(value, (Real, str)) and not isinstance(value, bool):
        with suppress(ValueError):
            if not math.isnan(number := float(value)):
                return number
    msg = f"{name} must be a number, got {value!r}."
    raise ValueError(msg)


def as_optional_float(name: str, value: Any) -> float | None:
    """
    A number or None, for which an environment variable has the empty text.

    :param name: of the parameter, for the message.
    :param value: what was given.
    :raises ValueError: where it is no number.
    """
    return None if value is None or value == "" else as_float(name, value)


def as_bool(name: str, value: Any) -> bool:
    """
    True or False.

    :param name: of the parameter, for the message.
    :param value: what was given.
    :raises ValueError: where it is neither.
    """
    word = str(value).strip().lower()
    if isinstance(value, (bool, str)) and word in _TRUE | _FALSE:
        return word in _TRUE
    msg = f"{name} must be true or false, got {value!r}."
    raise ValueError(msg)


def as_optional_text(name: str, value: Any) -> str | None:
    """
    A text or None, for which an environment variable has the empty text.

    :param name: of the parameter, for the message.
    :param value: what was given.
    :raises ValueError: where it is no text.
    """
    if value is None or isinstance(value, str):
        return value or None
    msg = f"{name} must be a text, got {value!r}."
    raise ValueError(msg)


def as_token(name: str, value: Any) -> str | bool | None:
    """
    What transformers takes for a token of the model hub: its text, True for the one that is stored on the machine.

    :param name: of the parameter, for the message.
    :param value: what was given; "true" and "false" mean the words.
    :raises ValueError: where it is neither; it is not shown.
    """
    if value is None or value == "":
        return None
    if isinstance(value, (bool, str)):
        word = str(value).strip().lower()
        return word == "true" if word in {"true", "false"} else value
    msg = f"{name} must be a token of the model hub, or True for the one that is stored; got a {type(value).__name__}."
    raise ValueError(msg)


def absolute_folder(name_or_path: str | os.PathLike[str]) -> str:
    """
    A model's folder by its whole path: it may be loaded when the working directory is another. Other names as they are.

    :param name_or_path: of a model.
    """
    folder = Path(name_or_path).expanduser()
    return str(folder.absolute()) if folder.is_dir() else str(name_or_path)
