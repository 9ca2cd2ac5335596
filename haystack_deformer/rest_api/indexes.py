"""Indexes of a FAISS store: the documents of each are on disk, its vectors in a FAISS index of its own in memory."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException
from haystack.document_stores import FAISSDocumentStore
from haystack.document_stores.sql import DocumentORM
from haystack.nodes import DenseRetriever

from haystack_deformer.document_stores.repairs.guarded_memory import GuardedMemory
from haystack_deformer.rest_api.pipelines import ServedPipeline


def check_kind(store: Any, index: str | None, kind: type) -> None:
    """
    Refuse an index of the other kind: in memory documents and labels of one index are in one place.

    :param store: of any kind.
    :param index: asked for; None: the store's own.
    :param kind: Document or Label.
    :raises HTTPException: 400, names the index.
    """
    if index is not None and isinstance(store, GuardedMemory):
        try:
            store.check_kind(index, kind)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error


def count_documents(store: FAISSDocumentStore) -> int:
    """
    Documents of all indexes.

    :param store: their own.
    """
    return int(store.session.query(DocumentORM.id).count())


def have_faiss_index(store: FAISSDocumentStore, index: str) -> None:
    """
    Make the FAISS index of an index that has none yet, as after a restart, empty as `write_documents` makes it.

    :param store: whose it is.
    :param index: its name.
    """
    if index not in store.faiss_indexes:
        store.faiss_indexes[index] = store._create_new_index(  # noqa: SLF001  # what `write_documents` calls
            embedding_dim=store.embedding_dim,
            index_factory=store.faiss_index_factory_str,
            metric_type=store.metric_type,
        )


def check_asked_indexes(pipeline: ServedPipeline, params: dict[str, Any]) -> None:
    """
    Refuse a question to an index whose vectors nobody has: Haystack raises no more than an `Exception` for it.

    :param pipeline: that answers.
    :param params: of the request.
    :raises HTTPException: 400, names the index.
    """
    for name, node in pipeline.nodes().items():
        store = getattr(node, "document_store", None)
        index = pipeline.given(name, "index", params)
        if not isinstance(node, DenseRetriever) or not isinstance(store, FAISSDocumentStore) or not index:
            continue
        if index not in store.faiss_indexes:
            raise HTTPException(400, f"{name} finds no index {index!r}: there are {sorted(store.faiss_indexes)}.")
