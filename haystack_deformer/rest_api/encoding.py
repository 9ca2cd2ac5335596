"""Haystack's objects to JSON, as its REST API writes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
from haystack.schema import Answer, Document, Label, Span, TableCell
from pandas import DataFrame


def plain(value: Any) -> Any:
    """
    Dictionaries, lists and what JSON has.

    Fields of documents and answers that are None are left out, and so are the documents' vectors.

    :param value: what a pipeline or a document store returned.
    """
    if value is None or isinstance(value, (str, int)):
        return value
    for kinds, convert in _CONVERSIONS:
        if isinstance(value, kinds):
            return convert(value)
    return str(value)


def plain_label(label: Label) -> dict[str, Any]:
    """
    A label as `plain` writes it, with the fields that are None: of labels alone Haystack's server writes those as well.

    :param label: of a document store.
    """
    answer = None if label.answer is None else _all_fields(label.answer)
    document = {**_all_fields(label.document), "embedding": None}
    return {**_all_fields(label), "answer": answer, "document": document}


def _all_fields(value: Any) -> dict[str, Any]:
    return {name: plain(item) for name, item in vars(value).items() if not name.startswith("_")}


def _fields(value: Any) -> dict[str, Any]:
    fields = {name: item for name, item in vars(value).items() if not name.startswith("_")}
    return {name: plain(item) for name, item in fields.items() if item is not None}


_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    # JSON has no NaN
    (float, lambda value: value if math.isfinite(value) else None),
    (Document, lambda value: {name: item for name, item in _fields(value).items() if name != "embedding"}),
    ((Answer, Label, Span, TableCell), _fields),
    (Mapping, lambda value: {str(name): plain(item) for name, item in value.items()}),
    ((list, tuple, set, frozenset), lambda value: [plain(item) for item in value]),
    (np.ndarray, lambda value: plain(value.tolist())),
    (np.generic, lambda value: plain(value.item())),
    (DataFrame, lambda value: plain([value.columns.tolist(), *value.values.tolist()])),
    # where the server keeps its files is nobody's business
    (PurePath, lambda value: value.name),
)
