"""Vectors of a FAISS index and their numbers in SQL, kept in step while documents come and go."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

import faiss
import numpy as np
from haystack.document_stores import FAISSDocumentStore
from haystack.document_stores.sql import DocumentORM, MetaDocumentORM
from haystack.schema import Document, FilterType
from sqlalchemy import Integer, bindparam, cast

from haystack_deformer.document_stores.access import IDS_AT_ONCE, batches
from haystack_deformer.document_stores.guarding import Guarded, guards

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    _Store: TypeAlias = FAISSDocumentStore
else:
    # as the hook: no class of Haystack's
    _Store = object


@guards("query_by_embedding", "update_embeddings", "train_index", "save", "write_labels", "delete_labels")
class SteadyVectors(Guarded, _Store):
    """
    Put ahead of FAISSDocumentStore, which numbers vectors by their places in FAISS and leaves the numbers as they are.

    When a vector is removed, the places of those after it change: Haystack's store then finds other documents than
    those that are near, or none, and the next vector that is added collides with a number that is taken.
    """

    def write_documents(
        self,
        documents: list[dict] | list[Document],
        index: str | None = None,
        batch_size: int | None = None,
        duplicate_documents: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """
        Write documents as the parent does; where they bring vectors, those that they had before are removed.

        :param documents: documents, or dictionaries as the parent takes them. Of several with one id the last is
            written where those that are there are overwritten, else the first.
        :param index: where; None: the default index.
        :param batch_size: documents that are written at once.
        :param duplicate_documents: what to do where the id is there.
        :param headers: for the parent.
        """
        index = index or self.index
        names = self._create_document_field_map()
        written = [
            Document.from_dict(entry, field_map=names) if isinstance(entry, dict) else entry for entry in documents
        ]
        if (duplicate_documents or self.duplicate_documents) == "overwrite":
            # each would leave a vector, and all but the last one's would be nobody's
            written = list({document.id: document for document in written}.values())
        ids = [document.id for document in written]
        with self.guard:
            before = self._numbers(index, ids)
            try:
                super().write_documents(written, index, batch_size, duplicate_documents, headers)
            finally:
                if before:
                    left = set(before.values()) - set(self._numbers(index, ids).values())
                    self._remove(index, left)

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
        with self.guard:
            if headers or (not ids and not filters):
                super().delete_documents(index=index, headers=headers)
                self._forget_meta(index, None)
                return
            going = list(ids or ())
            if filters:
                found = {document.id for document in self._access.documents(index, filters)}
                going = [identifier for identifier in going if identifier in found] if ids else list(found)
            numbers = set(self._numbers(index, going).values())
            for batch in batches(going, IDS_AT_ONCE):
                self.session.query(DocumentORM).filter(DocumentORM.index == index, DocumentORM.id.in_(batch)).delete(
                    synchronize_session=False
                )
                self._forget_meta(index, batch)
            self._commit()
            self._remove(index, numbers)

    def delete_index(self, index: str) -> None:
        """
        Delete an index, its documents, vectors and meta.

        :param index: its name.
        """
        with self.guard:
            super().delete_index(index)
            self._forget_meta(index, None)

    def get_all_documents(
        self,
        index: str | None = None,
        filters: FilterType | None = None,
        return_embedding: bool | None = None,
        batch_size: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> list[Document]:
        """
        Documents of an index, as the parent gives them.

        :param index: where; None: the default index.
        :param filters: which; None: all.
        :param return_embedding: whether with their vectors; None: the store's own.
        :param batch_size: documents that are read at once.
        :param headers: for the parent.
        """
        options = {} if batch_size is None else {"batch_size": batch_size}
        with self._vectors_held(return_embedding):
            return super().get_all_documents(index, filters, return_embedding, headers=headers, **options)

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
        """
        options = {} if batch_size is None else {"batch_size": batch_size}
        with self._vectors_held(None):
            return super().get_documents_by_id(ids, index, headers=headers, **options)

    def _vectors_held(self, return_embedding: bool | None) -> AbstractContextManager[Any]:
        """Where vectors are read by their numbers nobody may be renumbering them; others need not wait."""
        reads = self.return_embedding if return_embedding is None else return_embedding
        return self.guard if reads else nullcontext()

    def _forget_meta(self, index: str, ids: list[str] | None) -> None:
        """Remove meta that SQLite would leave to the next document with the id."""
        query = self.session.query(MetaDocumentORM).filter(MetaDocumentORM.document_index == index)
        if ids is not None:
            query = query.filter(MetaDocumentORM.document_id.in_(ids))
        query.delete(synchronize_session=False)
        self._commit()

    def _numbers(self, index: str, ids: Collection[str]) -> dict[str, int]:
        """The numbers of documents' vectors by id, of those that have one."""
        found = {}
        for batch in batches(ids, IDS_AT_ONCE):
            query = self.session.query(DocumentORM.id, DocumentORM.vector_id).filter(
                DocumentORM.index == index, DocumentORM.id.in_(batch), DocumentORM.vector_id.isnot(None)
            )
            found.update({identifier: int(number) for identifier, number in query})
        return found

    def _remove(self, index: str, numbers: set[int]) -> None:
        """Remove vectors that no document has, and number those after them anew."""
        vectors = self.faiss_indexes.get(index)
        # a store that was opened without its vectors has numbers of what is not there
        gone = sorted(number for number in numbers if vectors is not None and number < vectors.ntotal)
        if not gone or not _take_out(vectors, gone):
            return
        number = cast(DocumentORM.vector_id, Integer)
        rows = self.session.query(DocumentORM.id, number).filter(DocumentORM.index == index, number > gone[0]).all()
        if not rows:
            return
        changes = [
            {"document": identifier, "number": str(old - bisect_left(gone, old))}
            # the lowest first: the number that each gets is free then
            for identifier, old in sorted(rows, key=lambda row: row[1])
        ]
        statement = (
            DocumentORM.__table__.update()
            .where(DocumentORM.__table__.c.id == bindparam("document"), DocumentORM.__table__.c.index == index)
            .values(vector_id=bindparam("number"))
        )
        self.session.execute(statement, changes)
        self._commit()

    def _commit(self) -> None:
        try:
            self.session.commit()
        except BaseException:
            self.session.rollback()
            raise


def _take_out(vectors: Any, gone: list[int]) -> bool:
    """Remove vectors so that the places of the others stay without gaps; whether that was possible."""
    if isinstance(faiss.downcast_index(vectors), faiss.IndexFlat):
        vectors.remove_ids(np.array(gone, dtype="int64"))
        return True
    # other kinds cannot remove, or leave gaps: they are filled anew with what remains
    try:
        kept = _all_vectors(vectors)
    except RuntimeError as error:
        logger.warning(
            "%d vectors of deleted documents stay in the FAISS index, a %s, which cannot give its vectors back (%s). "
            "update_embeddings() clears them away.",
            len(gone),
            type(vectors).__name__,
            error,
        )
        return False
    vectors.reset()
    vectors.add(np.delete(kept, gone, axis=0))
    return True


def _all_vectors(vectors: Any) -> np.ndarray:
    inverted = faiss.try_extract_index_ivf(vectors)
    if inverted is not None:
        inverted.make_direct_map()
    return vectors.reconstruct_n(0, vectors.ntotal)
