"""The order of meta values in Haystack's SQL stores, which keep them as JSON: as text "9" comes after "10"."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Float, String, case, cast, func, null, type_coerce

_NUMBER_BEGINS = tuple("-0123456789")
_TEXT_BEGINS = '"%'
_EXACT = 2**53
"""Up to which every whole number is one of floating point."""


class OrderedMeta:
    """
    The table of meta as Haystack's filters look at it, numbers in the order of numbers and texts in that of texts.

    :param meta: the table, or an alias of it.
    :param dialect: SQLAlchemy's name of the database. In others than SQLite texts are in the order of JSON's spelling:
        letters beyond ASCII come as their escapes do.
    """

    def __init__(self, meta: Any, dialect: str) -> None:
        self.document_id = meta.document_id
        self.name = meta.name
        self.value = _OrderedValue(meta.value, decodes=dialect == "sqlite")


class _OrderedValue:
    """The column of values: a number is neither before nor after a text."""

    def __init__(self, column: Any, *, decodes: bool) -> None:
        self._column = column
        self._decodes = decodes

    def __eq__(self, other: object) -> Any:
        return self.in_([other])

    def __ne__(self, other: object) -> Any:
        return self.notin_([other])

    __hash__ = None  # type: ignore[assignment]  # a comparison is a condition, and says nothing of equality

    def in_(self, values: Iterable[Any]) -> Any:
        return type_coerce(self._column, String).in_(_spellings(values))

    def notin_(self, values: Iterable[Any]) -> Any:
        return type_coerce(self._column, String).notin_(_spellings(values))

    def __gt__(self, other: Any) -> Any:
        return self._ordered(operator.gt, other)

    def __ge__(self, other: Any) -> Any:
        return self._ordered(operator.ge, other)

    def __lt__(self, other: Any) -> Any:
        return self._ordered(operator.lt, other)

    def __le__(self, other: Any) -> Any:
        return self._ordered(operator.le, other)

    def _ordered(self, compare: Callable[[Any, Any], Any], other: Any) -> Any:
        text = type_coerce(self._column, String)
        if isinstance(other, (int, float)):
            begins = func.substr(text, 1, 1)
            # a case, since a database may cast before it looks at the other condition, and fail
            try:
                number = float(other)
            except OverflowError:
                msg = "A filter compares with a number that is too large: give one below 1e308."
                raise ValueError(msg) from None
            return compare(case((begins.in_(_NUMBER_BEGINS), cast(text, Float)), else_=null()), number)
        if not isinstance(other, str):
            msg = f"A filter can compare with a number or a text, not with {other!r}."
            raise ValueError(msg)  # as all that is wrong in filters
        # without the quotes: the one at the end is after a space, and "2020-01-01" would be after "2020-01-01 10:00"
        if self._decodes:
            stored, given = func.json_extract(text, "$"), other
        else:
            stored, given = func.substr(text, 2, func.length(text) - 2), json.dumps(other)[1:-1]
        return compare(case((text.like(_TEXT_BEGINS), stored), else_=null()), given)


def _spellings(values: Iterable[Any]) -> list[str]:
    """
    The JSON texts that the column may have of values: 2 is 2.0, and it has one of them.

    Texts, since SQLAlchemy makes of None a NULL, which is in no list and in no list's complement.
    """
    spelled: list[Any] = []
    for value in values:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        spelled += [int(value), float(value)] if is_number and abs(value) < _EXACT and value == int(value) else [value]
    return [json.dumps(value) for value in spelled]
