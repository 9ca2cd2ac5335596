"""Vectors of documents, where neither the file nor the indexing pipeline brings them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator

import numpy as np
from haystack.document_stores import BaseDocumentStore, FAISSDocumentStore
from haystack.nodes import DenseRetriever
from haystack.schema import Document

from haystack_deformer.document_stores.repairs.tables import filled_indexes
from haystack_deformer.document_stores.sql import beside
from haystack_deformer.representations import RepresentationStoreError
from haystack_deformer.rest_api.indexes import count_documents, have_faiss_index
from haystack_deformer.rest_api.store_lock import sqlite_database
from haystack_deformer.rest_api.vector_cache import VectorCache

logger = logging.getLogger(__name__)


def keep_vectors(store: BaseDocumentStore | None, retriever: DenseRetriever | None) -> VectorCache | None:
    """
    Keep the vectors of a FAISS index beside its documents, in the folder `x.vectors` for the SQLite file `x.db`.

    :param store: of any kind.
    :param retriever: that it is asked by; None: documents are not found by vectors.
    :return: None where there are no vectors, or no SQLite file for them to be beside.
    """
    database = sqlite_database(store)
    if not isinstance(store, FAISSDocumentStore) or retriever is None or database is None:
        return None
    folder = beside(database, "vectors")
    try:
        return VectorCache(folder, retriever)
    except RepresentationStoreError as error:
        if not folder.is_dir():
            raise
        # what is in it can be made again, and a server that does not start helps nobody
        aside = folder.with_name(f"{folder.name}.damaged")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        logger.warning("The vectors that were kept are damaged, lie in %s now and are made again: %s", aside, error)
        return VectorCache(folder, retriever)


def check_vectors(store: BaseDocumentStore | None, retriever: DenseRetriever | None) -> None:
    """
    Refuse a FAISS store that can take no vector of a retriever: uploads and questions alike would fail.

    :param store: of any kind.
    :param retriever: that it is asked by; None: documents are not found by vectors.
    :raises ValueError: says what to change in the pipeline file.
    """
    if not isinstance(store, FAISSDocumentStore) or retriever is None:
        return
    width = int(np.asarray(retriever.embed_queries(queries=["Where is Paris?"])).shape[-1])
    if width != store.embedding_dim:
        msg = (
            f"{type(retriever).__name__} makes vectors of {width} numbers, and the document store is for "
            f"{store.embedding_dim}: give the store embedding_dim: {width}."
        )
        raise ValueError(msg)
    untrained = sorted(name for name, vectors in store.faiss_indexes.items() if not vectors.is_trained)
    if untrained:
        msg = (
            f"FAISS indexes of the kind {store.faiss_index_factory_str!r} must be trained before they take vectors, "
            f"and {untrained} are not: train and save the store in Python (train_index, save) and give "
            "faiss_index_path, or take Flat or HNSW."
        )
        raise ValueError(msg)


def embed_missing(
    store: BaseDocumentStore | None, retriever: DenseRetriever | None, cache: VectorCache | None = None
) -> None:
    """
    Bring FAISS in step with the documents of all indexes: FAISS keeps vectors in memory, the documents are on disk.

    :param store: of any kind.
    :param retriever: that it is asked by; None: documents are not found by vectors.
    :param cache: before the retriever, of the vectors that were made before; those that nobody needs are removed.
    """
    if not isinstance(store, FAISSDocumentStore) or retriever is None:
        return
    if cache is not None:
        cache.tidy(_all_documents(store))
    for index in filled_indexes(store.session):
        have_faiss_index(store, index)
        documents, vectors = store.get_document_count(index=index), store.get_embedding_count(index=index)
        if documents != vectors:
            logger.info(
                "The index %r has %d documents and %d vectors in memory: those missing are read or made.",
                index,
                documents,
                vectors,
            )
            store.update_embeddings(retriever, index=index)


def embed_new(store: BaseDocumentStore | None, retriever: DenseRetriever | None, index: str | None = None) -> None:
    """
    Embed what was just written without a vector, so that it is found at once.

    :param store: of any kind.
    :param retriever: that it is asked by; None: documents are not found by vectors.
    :param index: that was written to; None: the default index.
    """
    if store is not None and retriever is not None and store.get_document_count(index=index):
        store.update_embeddings(retriever, index=index, update_existing_embeddings=False)


def forget_deleted(store: BaseDocumentStore | None, cache: VectorCache | None) -> None:
    """
    Remove the vectors of documents that were deleted, when they are more than half of those that are kept.

    Seldom enough: to find them all documents are read, fewer than there are vectors to remove.

    :param store: of any kind.
    :param cache: of its vectors; None: none are kept.
    """
    if isinstance(store, FAISSDocumentStore) and cache is not None and cache.count > 2 * count_documents(store):
        cache.tidy(_all_documents(store))


def _all_documents(store: FAISSDocumentStore) -> Iterator[Document]:
    for index in filled_indexes(store.session):
        yield from store.get_all_documents_generator(index=index, return_embedding=False)
