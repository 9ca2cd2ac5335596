"""
Filters of a request, looked at before a store sees them.

Haystack takes an operator that it does not know for a field that no document lacks: a slip of the pen in a request to
delete some documents would delete all.
"""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException

_LOGICAL = {"$and", "$or", "$not"}
_ORDERING = {"$gt", "$gte", "$lt", "$lte"}
_COMPARING_ONE = {"$eq", "$ne", *_ORDERING}
_COMPARING_SOME = {"$in", "$nin"}
_OPERATORS = sorted(_LOGICAL | _COMPARING_ONE | _COMPARING_SOME)
_DEEPEST = 20


def checked_filters(filters: dict[str, Any] | None) -> dict[str, Any] | None:
    """
    Filters in Haystack's form.

    :param filters: by field or logical operator.
    :raises HTTPException: 400, says what is wrong.
    """
    if filters:
        _check(filters, "filters", 0)
    return filters


def _check(filters: Any, path: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise HTTPException(400, f"The filters are nested more than {_DEEPEST} deep.")
    if isinstance(filters, list):
        for number, part in enumerate(filters):
            _check(part, f"{path}.{number}", depth + 1)
        return
    if not isinstance(filters, dict) or not filters:
        raise HTTPException(400, f"{path} must be an object with a field or an operator, not {filters!r}.")
    for name, value in filters.items():
        here = f"{path}.{name}"
        if name in _LOGICAL:
            _check(value, here, depth + 1)
        elif name.startswith("$"):
            raise HTTPException(400, f"{here}: there is no operator {name!r} here; the operators are {_OPERATORS}.")
        else:
            _check_field(value, here, depth)


def _check_field(value: Any, path: str, depth: int) -> None:
    if _is_text_of_half_characters(path):
        raise HTTPException(400, "A field's name has half a character in it (a lone surrogate).")
    if not isinstance(value, dict):
        _check_values(value if isinstance(value, list) else [value], path)
        return
    if not value:
        raise HTTPException(400, f"{path} is empty: give a value, a list of values or a comparison.")
    for name, item in value.items():
        here = f"{path}.{name}"
        if name in _LOGICAL:
            for part in item if isinstance(item, list) else [item]:
                if depth > _DEEPEST or not isinstance(part, dict):
                    raise HTTPException(400, f"{here} must be an object of comparisons, not {part!r}.")
                _check_field(part, here, depth + 1)
        elif name in _COMPARING_ONE | _COMPARING_SOME:
            _check_comparison(name, item, here)
        else:
            raise HTTPException(400, f"{path}: there is no operator {name!r}; the operators are {_OPERATORS}.")


def _check_comparison(name: str, value: Any, path: str) -> None:
    if name in _COMPARING_SOME and not isinstance(value, list):
        raise HTTPException(400, f"{path} must be a list, not {value!r}.")
    _check_values(value if isinstance(value, list) and name not in _ORDERING else [value], path)


def _check_values(values: list[Any], path: str) -> None:
    for value in values:
        if not isinstance(value, (str, int, float, bool, type(None))) or _is_text_of_half_characters(value):
            raise HTTPException(400, f"{path} must be text, a number, true or false, not {value!r}.")


def _is_text_of_half_characters(value: Any) -> bool:
    return isinstance(value, str) and any(0xD800 <= ord(character) <= 0xDFFF for character in value)
