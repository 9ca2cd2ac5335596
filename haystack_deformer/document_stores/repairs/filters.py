"""
Filters, looked at before a store sees them.

Haystack's parser passes over an operator that it does not know where it stands, and over a condition without content:
filters that were to delete some documents then delete all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

_LOGICAL = ("$and", "$or", "$not")
_COMPARING_SOME = ("$in", "$nin")
_COMPARING = ("$eq", "$ne", *_COMPARING_SOME, "$gt", "$gte", "$lt", "$lte")


class Comparison(NamedTuple):
    """
    One comparison of filters.

    :param path: where it stands, from the top.
    :param operator: one of a field's; those that Haystack takes where none is named are named here.
    :param value: what the field is compared with.
    """

    path: str
    operator: str
    value: Any


def check_filters(filters: Any) -> None:
    """
    Refuse filters of which Haystack would pass over a part.

    :param filters: in Haystack's form; None and {}: all documents.
    :raises ValueError: names the part, and what can stand there.
    """
    for _ in comparisons(filters):
        pass


def checked_ids(ids: Iterable[str] | None) -> list[str] | None:
    """
    Refuse one id in place of a list: its characters would be taken for ids.

    :param ids: of documents; None: not narrowed by id.
    :raises ValueError: names it.
    """
    if isinstance(ids, (str, bytes)):
        msg = f"ids must be a list, got {ids!r}: give [{ids!r}]."
        raise ValueError(msg)
    return None if ids is None else list(ids)


def comparisons(filters: Any, deepest: int | None = None) -> Iterator[Comparison]:
    """
    Go through the comparisons of filters, and refuse filters of which Haystack would pass over a part.

    :param filters: in Haystack's form; None and {} have none.
    :param deepest: how many lists and objects may stand in each other; None: any number.
    :raises ValueError: names the part, and what can stand there.
    """
    if filters is not None and filters != {}:
        yield from _conditions(filters, "filters", deepest)


def _conditions(conditions: Any, path: str, left: int | None) -> Iterator[Comparison]:
    if left is not None and left < 0:
        msg = f"The filters are nested too deep at {path}: write them with fewer logical operators in each other."
        raise ValueError(msg)
    if isinstance(conditions, (list, tuple)):
        if not conditions:
            msg = f"{path} is an empty list, which would fit all documents or none: give a condition, or no filters."
            raise ValueError(msg)
        for number, part in enumerate(conditions):
            if not isinstance(part, Mapping):
                msg = f"{path}.{number} must be an object with a field or one of {list(_LOGICAL)}, not {part!r}."
                raise ValueError(msg)
            yield from _conditions(part, f"{path}.{number}", _less(left))
        return
    if not isinstance(conditions, Mapping) or not conditions:
        msg = (
            f"{path} must be an object with a field or one of {list(_LOGICAL)}, or a list of such, not {conditions!r}."
        )
        raise ValueError(msg)
    for name, value in conditions.items():
        here = f"{path}.{name}"
        if name in _LOGICAL:
            yield from _conditions(value, here, _less(left))
        elif isinstance(name, str) and name.startswith("$"):
            msg = (
                f"{path}: there is no operator {name!r} here, in the place of a field; the operators are "
                f"{list(_LOGICAL)} around fields and {list(_COMPARING)} in a field."
            )
            raise ValueError(msg)
        else:
            yield from _field(value, here)


def _field(value: Any, path: str) -> Iterator[Comparison]:
    if not isinstance(value, Mapping):
        yield Comparison(path, "$in" if isinstance(value, list) else "$eq", value)
        return
    if not value:
        msg = f"{path} is empty: give a value, a list of values or a comparison, one of {list(_COMPARING)}."
        raise ValueError(msg)
    for name, item in value.items():
        if name in _LOGICAL:
            msg = (
                f"{path}: the operator {name!r} cannot stand in a field, only around fields: "
                f"{{{name!r}: {{field: ...}}}}; in a field the operators are {list(_COMPARING)}."
            )
            raise ValueError(msg)
        if name not in _COMPARING:
            msg = f"{path}: there is no operator {name!r}; in a field the operators are {list(_COMPARING)}."
            raise ValueError(msg)
        if name in _COMPARING_SOME and (isinstance(item, (str, bytes, Mapping)) or not isinstance(item, Iterable)):
            msg = f"{path}.{name} must be a list, not {item!r}."
            raise ValueError(msg)
        yield Comparison(f"{path}.{name}", name, item)


def _less(left: int | None) -> int | None:
    return None if left is None else left - 1
