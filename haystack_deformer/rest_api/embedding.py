"""Vectors of documents, where neither the file nor the indexing pipeline brings them."""

from __future__ import annotations

import logging

from haystack.document_stores import BaseDocumentStore, FAISSDocumentStore
from haystack.nodes import DenseRetriever

logger = logging.getLogger(__name__)


def embed_missing(store: BaseDocumentStore | None, retriever: DenseRetriever | None) -> None:
    """
    Bring a FAISS index in step with its documents: FAISS keeps vectors in memory, the documents are on disk.

    :param store: of any kind.
    :param retriever: that it is asked by; None: documents are not found by vectors.
    """
    if not isinstance(store, FAISSDocumentStore) or retriever is None:
        return
    documents, vectors = store.get_document_count(), store.get_embedding_count()
    if documents == vectors:
        return
    logger.warning(
        "The index has %d documents and %d vectors: all vectors are computed. FAISS keeps them in memory alone.",
        documents,
        vectors,
    )
    store.update_embeddings(retriever)


def embed_new(store: BaseDocumentStore | None, retriever: DenseRetriever | None) -> None:
    """
    Embed what was just written without a vector, so that it is found at once.

    :param store: of any kind.
    :param retriever: that it is asked by; None: documents are not found by vectors.
    """
    if store is not None and retriever is not None and store.get_document_count():
        store.update_embeddings(retriever, update_existing_embeddings=False)
