"""Vectors of a FAISS index and their numbers in SQL, kept in step while documents come and go."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

from haystack.document_stores import FAISSDocumentStore
from haystack.document_stores.sql import DocumentORM, MetaDocumentORM
from haystack.schema import Document, FilterType
from sqlalchemy.orm import scoped_session

from haystack_deformer.document_stores.batches import IDS_AT_ONCE, batches
from haystack_deformer.document_stores.parents import FAISSStore
from haystack_deformer.document_stores.repairs.faiss_indexes import FaissIndexes
from haystack_deformer.document_stores.repairs.filtered_search import FilteredSearch
from haystack_deformer.document_stores.repairs.filters import checked_ids
from haystack_deformer.document_stores.repairs.guarding import guards
from haystack_deformer.document_stores.repairs.narrow_labels import NarrowLabels
from haystack_deformer.document_stores.repairs.narrow_reads import NarrowReads
from haystack_deformer.document_stores.repairs.removal import Removal, removal
from haystack_deformer.document_stores.repairs.saved_vectors import SavedVectors
from haystack_deformer.document_stores.repairs.sessions import undone_on_error
from haystack_deformer.document_stores.repairs.tables import unindexed, with_ids
from haystack_deformer.document_stores.repairs.untrue_warning import vectors_in_step
from haystack_deformer.document_stores.repairs.vector_numbers import (
    contents_of,
    forget_replaced,
    renumber,
    vector_numbers,
)

logger = logging.getLogger(__name__)


@guards("write_labels", "delete_labels", by="label_guard")
@guards("train_index")
class SteadyVectors(FaissIndexes, SavedVectors, FilteredSearch, NarrowReads, NarrowLabels, FAISSStore):
    """
    Put ahead of FAISSDocumentStore, which numbers vectors by their places in FAISS and leaves the numbers as they are.

    When a vector is removed, the places of those after it change: Haystack's store then finds other documents than
    those that are near, or none, and the next vector that is added collides with a number that is taken.
    """

    @property
    def label_guard(self) -> threading.RLock:
        """Not the lock of the vectors, unless all threads have one session, of which one alone may make use."""
        return super().label_guard if isinstance(self.session, scoped_session) else self.guard

    def write_documents(
        self,
        documents: list[dict] | list[Document],
        index: str | None = None,
        batch_size: int | None = None,
        duplicate_documents: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """
        Write documents as the parent does; where they bring vectors or another text, those they had before are removed.

        :param documents: documents, or dictionaries as the parent takes them. Of several with one id the last is
            written where those that are there are overwritten, else the first.
        :param index: where; None: the default index.
        :param batch_size: documents that are written at once.
        :param duplicate_documents: what to do where the id is there.
        :param headers: for the parent.
        """
        index = index or self.index
        overwrites = (duplicate_documents or self.duplicate_documents) == "overwrite"
        written = self._each_once(documents, overwrites)
        ids = [document.id for document in written]
        with self.guard:
            if any(document.embedding is not None for document in written):
                self.have_vectors(index)
            before = vector_numbers(self.session, index, ids)
            contents = {}
            first = self._total(index)
            if overwrites and any(document.embedding is None for document in written):
                contents = contents_of(self.session, index, before)
                # the parent does so where the store overwrites by default, and forgets it where the call says so
                for document in written:
                    if document.id in before:
                        document.meta["vector_id"] = str(before[document.id])
            try:
                with undone_on_error(self.session), vectors_in_step():
                    # apart: the parent drops all vectors of a call in which one document has none
                    for embedded in (True, False):
                        part = [document for document in written if (document.embedding is not None) == embedded]
                        if part or not written:
                            super().write_documents(part, index, batch_size, duplicate_documents, headers)
            except BaseException:
                self._take_back(index, before, contents, ids, first)
                raise
            if before:
                with undone_on_error(self.session):
                    self._remove(index, forget_replaced(self.session, index, before, contents))

    def delete_documents(
        self,
        index: str | None = None,
        ids: list[str] | None = None,
        filters: FilterType | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """
        Delete documents of one index, with their vectors and their meta.

        :param index: where; None: the default index.
        :param ids: which; None: not narrowed by id.
        :param filters: which, in any form that `get_all_documents` takes; None: not narrowed by meta.
        :param headers: for the parent.
        """
        index = index or self.index
        with self.guard, undone_on_error(self.session):
            if headers:
                super().delete_documents(index=index, headers=headers)  # says that it takes none
            if not ids and not filters:
                self._delete_all(index)
                return
            going = list(ids or ())
            if filters:
                found = self.get_document_ids(index, filters)
                going = sorted(set(found).intersection(going)) if ids else found
            numbers = set(vector_numbers(self.session, index, going).values())
            for batch in batches(going, IDS_AT_ONCE):
                with_ids(self.session.query(DocumentORM), index, batch).delete(synchronize_session=False)
                self._forget_meta(index, batch)
            self._remove(index, numbers)

    def delete_index(self, index: str) -> None:
        """
        Delete an index, its documents, vectors and meta.

        :param index: its name.
        """
        with self.guard, undone_on_error(self.session):
            vectors = self.faiss_indexes.get(index)
            try:
                self._forget_meta(index, None)
                super().delete_index(index)
            except BaseException:
                if vectors is not None:
                    self.faiss_indexes[index] = vectors
                raise

    def get_all_documents_generator(
        self,
        index: str | None = None,
        filters: FilterType | None = None,
        return_embedding: bool | None = None,
        batch_size: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> Iterator[Document]:
        """
        Documents of an index, as the parent gives them; with their vectors all are read at once.

        :param index: where; None: the default index.
        :param filters: which; None: all.
        :param return_embedding: whether with their vectors; None: the store's own.
        :param batch_size: documents that are read at once.
        :param headers: for the parent.
        """
        options = {} if batch_size is None else {"batch_size": batch_size}
        with_vectors = self._gives_vectors(index, return_embedding)
        documents = super().get_all_documents_generator(index, filters, with_vectors, headers=headers, **options)
        if with_vectors:
            # nobody may be renumbering them meanwhile
            with self.guard:
                documents = iter(list(documents))
        yield from documents

    def get_documents_by_id(
        self,
        ids: list[str],
        index: str | None = None,
        batch_size: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> list[Document]:
        """
        Some documents, as the parent gives them.

        :param ids: which.
        :param index: where; None: the default index.
        :param batch_size: documents that are read at once.
        :param headers: for the parent.
        :raises ValueError: for one id that is no list.
        """
        ids = checked_ids(ids) or []
        options = {} if batch_size is None else {"batch_size": batch_size}
        if headers or self._gives_vectors(index, None):
            # nobody may be renumbering them meanwhile
            with self.guard:
                return super().get_documents_by_id(ids, index, headers=headers, **options)
        return super(FAISSDocumentStore, self).get_documents_by_id(ids, index, **options)

    def _each_once(self, documents: list[dict] | list[Document], overwrites: bool) -> list[Document]:
        """One document of an id: of several each would leave a vector, and all but one would be nobody's."""
        names = self._create_document_field_map()
        by_id: dict[str, Document] = {}
        for entry in documents:
            document = Document.from_dict(entry, field_map=names) if isinstance(entry, dict) else entry
            if overwrites or document.id not in by_id:
                by_id[document.id] = document
        return list(by_id.values())

    def _gives_vectors(self, index: str | None, return_embedding: bool | None) -> bool:
        """Whether documents are to come with vectors, and there are any: the numbers may be of some never saved."""
        asked = self.return_embedding if return_embedding is None else return_embedding
        return asked and self._total(index or self.index) > 0

    def _delete_all(self, index: str) -> None:
        self.session.query(DocumentORM).filter(DocumentORM.index == index).delete(synchronize_session=False)
        self._forget_meta(index, None)
        self.session.commit()
        if index in self.faiss_indexes:
            self.faiss_indexes[index].reset()

    def _forget_meta(self, index: str, ids: list[str] | None) -> None:
        """Remove meta that SQLite would leave to the next document with the id; it is not committed."""
        query = self.session.query(MetaDocumentORM)
        if ids is None:
            query = query.filter(MetaDocumentORM.document_index == index)
        else:
            query = query.filter(
                unindexed(MetaDocumentORM.document_index) == index, MetaDocumentORM.document_id.in_(ids)
            )
        query.delete(synchronize_session=False)

    def _total(self, index: str) -> int:
        vectors = self.faiss_indexes.get(index)
        return 0 if vectors is None else vectors.ntotal

    def _take_back(
        self, index: str, before: dict[str, int], contents: dict[str, Any], ids: list[str], first: int
    ) -> None:
        """
        Remove the vectors that a write which failed left without a document: the parent adds them before all else.

        :param index: where.
        :param before: the numbers that its documents had.
        :param contents: what those of them said whose numbers the write could leave as they were.
        :param ids: of its documents.
        :param first: the lowest of the numbers that it could give.
        """
        try:
            # batches of it may be there, with another text
            replaced = forget_replaced(self.session, index, before, contents)
            now = vector_numbers(self.session, index, ids)
            kept = {number for identifier, number in now.items() if before.get(identifier) != number}
            added = set(range(first, self._total(index)))
            self._remove(index, (added - kept) | replaced)
        except Exception:
            # the error to tell is that of the write
            logger.exception("Vectors of no document stay in the FAISS index; update_embeddings() clears them away.")

    def _remove(self, index: str, numbers: set[int]) -> None:
        """Remove vectors that no document has any more, and commit: all of it or nothing."""
        with undone_on_error(self.session):
            prepared = self._removal(index, numbers)
            if prepared is None:
                self.session.commit()
                return
            renumber(self.session, index, prepared.moves)
            with prepared.done():
                self.session.commit()

    def _removal(self, index: str, numbers: set[int]) -> Removal | None:
        # a store that was opened without its vectors has numbers of what is not there
        gone = {number for number in numbers if number < self._total(index)}
        if not gone:
            return None
        vectors = self.faiss_indexes[index]
        try:
            return removal(vectors, gone)
        except RuntimeError as error:
            logger.warning(
                "%d vectors of deleted documents stay in the FAISS index, a %s, which cannot give its vectors back "
                "(%s). update_embeddings() clears them away.",
                len(gone),
                type(vectors).__name__,
                error,
            )
            return None
