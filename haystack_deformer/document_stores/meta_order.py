"""The order of meta values in Haystack's SQL stores, which keep them as JSON: as text "9" comes after "10"."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Float, String, and_, case, cast, func, null, type_coerce

_NUMBER_BEGINS = tuple("-0123456789")
_TEXT_BEGINS = '"%'


class OrderedMeta:
    """
    The table of meta as Haystack's filters look at it, numbers in the order of numbers and texts in that of texts.

    :param meta: the table, or an alias of it.
    """

    def __init__(self, meta: Any) -> None:
        self.document_id = meta.document_id
        self.name = meta.name
        self.value = _OrderedValue(meta.value)


class _OrderedValue:
    """The column of values: a number is neither before nor after a text."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __eq__(self, other: object) -> Any:
        return self._column == other

    def __ne__(self, other: object) -> Any:
        return self._column != other

    __hash__ = None  # type: ignore[assignment]  # a comparison is a condition, and says nothing of equality

    def in_(self, values: Iterable[Any]) -> Any:
        return self._column.in_(values)

    def notin_(self, values: Iterable[Any]) -> Any:
        return self._column.notin_(values)

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
            return compare(case((begins.in_(_NUMBER_BEGINS), cast(text, Float)), else_=null()), float(other))
        return and_(text.like(_TEXT_BEGINS), compare(self._column, other))
