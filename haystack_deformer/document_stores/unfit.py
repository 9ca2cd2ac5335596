"""Documents that a store cannot take: refused before their states are computed, not by an error from deep inside."""

from __future__ import annotations

from typing import Any

import numpy as np
from haystack.schema import Document

_CLASSIFICATION = ("label", "score", "details")
"""What stores in SQL take out of the field of the meta, which Haystack's TransformersDocumentClassifier writes."""


class UnfitDocumentError(ValueError):
    """A document that the store cannot hold as it is."""


def check_embedding(document: Document, embedding_dim: int) -> None:
    """
    Refuse a vector of another length than the index has.

    :param document: with a vector or without one.
    :param embedding_dim: numbers of a vector.
    :raises UnfitDocumentError: names the shape, which FAISS refuses with an assertion.
    """
    if document.embedding is not None and np.shape(document.embedding) != (embedding_dim,):
        msg = (
            f"The embedding of the document {document.id!r} has the shape {np.shape(document.embedding)}, and the "
            f"store is for {embedding_dim} numbers: give embedding_dim={np.size(document.embedding)}, or other "
            "embeddings."
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
