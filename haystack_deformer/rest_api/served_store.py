"""A document store of the pipelines: no other server has it, and its vectors are in step with its documents."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from haystack.document_stores import BaseDocumentStore, FAISSDocumentStore
from haystack.nodes import DenseRetriever
from haystack.schema import Document

from haystack_deformer.document_stores.repairs.tables import filled_indexes
from haystack_deformer.document_stores.sql import beside
from haystack_deformer.representations import RepresentationStoreError
from haystack_deformer.rest_api.indexes import count_documents, have_faiss_index
from haystack_deformer.rest_api.store_lock import StoreLock, sqlite_database
from haystack_deformer.rest_api.vector_cache import VectorCache

logger = logging.getLogger(__name__)


class ServedStore:
    """
    A store, locked, with the vectors of a FAISS store kept in the folder `x.vectors` beside its SQLite file `x.db`.

    :param store: of any kind.
    :param retriever: that it is asked by; None: documents are not found by vectors.
    :raises ValueError: where another server has the store, or it can take no vector of the retriever.
    """

    def __init__(self, store: BaseDocumentStore, retriever: DenseRetriever | None) -> None:
        self.store = store
        self._retriever = retriever
        self._lock = StoreLock(store)
        self._vectors: VectorCache | None = None
        try:
            if isinstance(store, FAISSDocumentStore) and retriever is not None:
                _check_vectors(store, retriever)
                database = sqlite_database(store)
                self._vectors = None if database is None else _open_cache(beside(database, "vectors"), retriever)
        except BaseException:
            self.close()
            raise

    def embed_missing(self) -> None:
        """Bring FAISS in step with the documents of all indexes: it keeps vectors in memory, documents are on disk."""
        store = self.store
        if not isinstance(store, FAISSDocumentStore) or self._retriever is None:
            return
        if self._vectors is not None:
            self._vectors.tidy(_all_documents(store))
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
                store.update_embeddings(self._retriever, index=index)

    def embed_new(self, index: str | None = None) -> None:
        """
        Embed what was just written without a vector, so that it is found at once.

        :param index: that was written to; None: the default index.
        """
        if self._retriever is not None and self.store.get_document_count(index=index):
            self.store.update_embeddings(self._retriever, index=index, update_existing_embeddings=False)

    def forget_deleted(self) -> None:
        """
        Remove the kept vectors of documents that were deleted, when they are more than half of all that are kept.

        Seldom enough: to find them all documents are read, fewer than there are vectors to remove.
        """
        store, vectors = self.store, self._vectors
        if isinstance(store, FAISSDocumentStore) and vectors is not None and vectors.count > 2 * count_documents(store):
            vectors.tidy(_all_documents(store))

    def close(self) -> None:
        """Let another server have the store."""
        if self._vectors is not None:
            self._vectors.close()
        self._lock.release()


def open_stores(stores: Iterable[tuple[BaseDocumentStore, DenseRetriever | None]]) -> list[ServedStore]:
    """
    Lock stores and keep their vectors; of several over one SQLite file the first alone.

    :param stores: each with the retriever that it is asked by.
    :raises ValueError: see :class:`ServedStore`; then none is held.
    """
    opened: list[ServedStore] = []
    databases: set[Path] = set()
    try:
        for store, retriever in stores:
            database = sqlite_database(store)
            if database in databases:
                # a document's row has room for the number of one vector
                logger.warning(
                    "Two document stores have their documents in %s: vectors are kept and read again for the first of "
                    "them alone. Give each a file of its own (sql_url).",
                    database,
                )
                continue
            opened.append(ServedStore(store, retriever))
            if database is not None:
                databases.add(database)
    except BaseException:
        for served in opened:
            served.close()
        raise
    return opened


def _open_cache(folder: Path, retriever: DenseRetriever) -> VectorCache:
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


def _check_vectors(store: FAISSDocumentStore, retriever: DenseRetriever) -> None:
    """Refuse a store that can take no vector of the retriever: uploads and questions alike would fail."""
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


def _all_documents(store: FAISSDocumentStore) -> Iterator[Document]:
    for index in filled_indexes(store.session):
        yield from store.get_all_documents_generator(index=index, return_embedding=False)
