"""Filters of a request, looked at before a store sees them."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException

from haystack_deformer.document_stores.repairs.filters import Comparison, comparisons
from haystack_deformer.rest_api.characters import has_half_character

_ORDERING = ("$gt", "$gte", "$lt", "$lte")
_DEEPEST = 20


def checked_filters(filters: dict[str, Any] | None) -> dict[str, Any] | None:
    """
    Filters in Haystack's form.

    :param filters: by field or logical operator.
    :raises HTTPException: 400, says what is wrong.
    """
    try:
        for comparison in comparisons(filters, _DEEPEST):
            _check(comparison)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    return filters


def _check(comparison: Comparison) -> None:
    path, operator, value = comparison
    if operator in _ORDERING and value is None:
        msg = f"{path} must be text or a number, which null is neither before nor after."
        raise ValueError(msg)
    if has_half_character(path):
        msg = f"A field's name has half a character in it (a lone surrogate): {path!r}."
        raise ValueError(msg)
    for item in value if isinstance(value, list) and operator not in _ORDERING else [value]:
        if not isinstance(item, (str, int, float, bool, type(None))) or has_half_character(item):
            msg = f"{path} must be text, a number, true or false, not {item!r}."
            raise ValueError(msg)
