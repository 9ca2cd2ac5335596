"""Documents that a store cannot take: refused before their states are computed, not by an error from deep inside."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from haystack.schema import Document
from pandas import DataFrame

_CLASSIFICATION = ("label", "score", "details")
"""What stores in SQL take out of the field of the meta, which Haystack's TransformersDocumentClassifier writes."""


class UnfitDocumentError(ValueError):
    """A document that the store cannot hold as it is."""


def check_content(document: Document) -> None:
    """
    Refuse what says that it is a table and is none: retrievers fail on all documents where there is one.

    :param document: of any kind.
    :raises UnfitDocumentError: names the document.
    """
    if document.content_type == "table" and not isinstance(document.content, DataFrame):
        msg = (
            f"The content of the document {document.id!r} is a {type(document.content).__name__}, and its content_type "
            "'table': give a DataFrame or a list of rows, or another content_type."
        )
        raise UnfitDocumentError(msg)


def check_embedding(document: Document) -> None:
    """
    Refuse what is no vector: it would be found by no search, or no search would work any more.

    :param document: with a vector or without one.
    :raises UnfitDocumentError: names the document and what is wrong with its vector.
    """
    if document.embedding is None:
        return
    try:
        vector = np.asarray(document.embedding, dtype=np.float32)
    except (TypeError, ValueError):
        vector = np.empty((0, 0), dtype=np.float32)
    if vector.ndim != 1 or not np.isfinite(vector).all():
        msg = (
            f"The embedding of the document {document.id!r} is no list of finite numbers, got "
            f"{document.embedding!r:.100}: give such a list, or none for the retriever to make one."
        )
        raise UnfitDocumentError(msg)


def check_embedding_length(document: Document, length: int, remedy: str) -> None:
    """
    Refuse a vector of another length than those beside it.

    :param document: with a vector or without one.
    :param length: numbers of a vector.
    :param remedy: the end of the message.
    :raises UnfitDocumentError: names the shape, which stores meet with an assertion, or when they search.
    """
    if document.embedding is not None and np.shape(document.embedding) != (length,):
        msg = (
            f"The embedding of the document {document.id!r} has the shape {np.shape(document.embedding)}, and {remedy}"
        )
        raise UnfitDocumentError(msg)


def check_classification(meta: dict[str, Any]) -> None:
    """
    Refuse a field "classification" that stores in SQL cannot take apart.

    :param meta: of a document.
    :raises UnfitDocumentError: names the value.
    """
    if "classification" not in meta:
        return
    given = meta["classification"]
    if not isinstance(given, dict) or not all(name in given for name in _CLASSIFICATION):
        msg = (
            f"The field meta.classification must be an object with {list(_CLASSIFICATION)} in a store over SQL, not "
            f"{given!r:.200}."
        )
        raise UnfitDocumentError(msg)


def check_sql_meta(document: Document) -> None:
    """
    Refuse meta that stores in SQL, which keep it as JSON, cannot hold.

    :param document: of any kind.
    :raises UnfitDocumentError: names the document and the field.
    """
    meta = document.meta or {}
    check_classification(meta)
    for name, value in meta.items():
        # the parents make of its details a text, whatever they are
        kept = [value[part] for part in _CLASSIFICATION[:2]] if name == "classification" else value
        try:
            json.dumps(kept)
        except (TypeError, ValueError, RecursionError) as error:
            msg = (
                f"The field meta.{name} of the document {document.id!r} is {value!r:.200}, which a store over SQL "
                f"cannot keep ({error}): give texts, numbers, booleans, None, or lists and objects of such."
            )
            raise UnfitDocumentError(msg) from error
