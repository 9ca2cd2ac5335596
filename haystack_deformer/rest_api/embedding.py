"""Vectors of documents, where neither the file nor the indexing pipeline brings them."""

from __future__ import annotations

import logging

from haystack.document_stores import BaseDocumentStore, FAISSDocumentStore
from haystack.nodes import DenseRetriever

from haystack_deformer.rest_api.store_lock import sqlite_database
from haystack_deformer.rest_api.vector_cache import VectorCache

logger = logging.getLogger(__name__)


def keep_vectors(store: BaseDocumentStore | None, retriever: DenseRetriever | None) -> VectorCache | None:
    """
    Keep the vectors of a FAISS index beside its documents, in the folder `x.vectors` beside the SQLite file `x.db`.

    :param store: of any kind.
    :param retriever: that it is asked by; None: documents are not found by vectors.
    :return: None where there are no vectors, or no SQLite file for them to be beside.
    """
    database = sqlite_database(store)
    if not isinstance(store, FAISSDocumentStore) or retriever is None or database is None:
        return None
    return VectorCache(database.with_suffix(".vectors"), retriever)


def embed_missing(
    store: BaseDocumentStore | None, retriever: DenseRetriever | None, cache: VectorCache | None = None
) -> None:
    """
    Bring a FAISS index in step with its documents: FAISS keeps vectors in memory, the documents are on disk.

    :param store: of any kind.
    :param retriever: that it is asked by; None: documents are not found by vectors.
    :param cache: before the retriever, of the vectors that were made before.
    """
    if not isinstance(store, FAISSDocumentStore) or retriever is None:
        return
    documents, vectors = store.get_document_count(), store.get_embedding_count()
    if documents == vectors:
        return
    logger.info(
        "The index has %d documents and %d vectors in memory: those missing are read or made.", documents, vectors
    )
    store.update_embeddings(retriever)
    if cache is not None:
        cache.keep_only(store.get_all_documents_generator())


def embed_new(store: BaseDocumentStore | None, retriever: DenseRetriever | None) -> None:
    """
    Embed what was just written without a vector, so that it is found at once.

    :param store: of any kind.
    :param retriever: that it is asked by; None: documents are not found by vectors.
    """
    if store is not None and retriever is not None and store.get_document_count():
        store.update_embeddings(retriever, update_existing_embeddings=False)
