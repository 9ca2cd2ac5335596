"""Reads of Haystack's SQL and FAISS stores that take more than was asked for, narrowed to that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from haystack.document_stores.sql import DocumentORM, MetaDocumentORM
from haystack.schema import Document, FilterType

from haystack_deformer.document_stores.batches import IDS_AT_ONCE, batches
from haystack_deformer.document_stores.parents import FAISSStore
from haystack_deformer.document_stores.repairs.tables import ids_of, matching, with_ids

_COLUMNS = (DocumentORM.id, DocumentORM.content, DocumentORM.content_type, DocumentORM.vector_id)


class NarrowReads(FAISSStore):
    """Put ahead of FAISSDocumentStore: meta of the index that is asked, and the document that is needed."""

    def _query(
        self,
        index: str | None = None,
        filters: FilterType | None = None,
        vector_ids: list[str] | None = None,
        only_documents_without_embedding: bool = False,
        batch_size: int = 10_000,
    ) -> Iterator[Document]:
        """
        As the parent does, which gives documents the meta that any index has of their ids, and filters by it.

        It also looks for all documents again at every batch of them. Here their ids are read once, which are small
        beside the vectors that are in memory.
        """
        index = index or self.index
        query = matching(self.session.query(DocumentORM.id), index, filters)
        # the index by name as well: with it, and not without, the database finds numbers without looking at every row
        if only_documents_without_embedding:
            query = query.filter(DocumentORM.index == index, DocumentORM.vector_id.is_(None))
        if vector_ids:
            query = query.filter(DocumentORM.index == index, DocumentORM.vector_id.in_(vector_ids))
        ids = [identifier for (identifier,) in query.order_by(DocumentORM.id)]
        rows = (
            row
            for some in batches(ids, IDS_AT_ONCE)
            for row in with_ids(self.session.query(*_COLUMNS), index, some).order_by(DocumentORM.id)
        )
        for batch in batches(rows, batch_size):
            yield from self._with_meta(batch, index)

    def get_documents_by_vector_ids(
        self,
        vector_ids: list[str],
        index: str | None = None,
        batch_size: int = 10_000,  # noqa: ARG002  # of a query; fewer are asked for at once
    ) -> list[Document]:
        """
        As the parent does, which in some databases reads the meta of all documents for each of those that were found.

        :param vector_ids: numbers of vectors.
        :param index: where; None: the default index.
        :param batch_size: of no effect.
        :return: in the order of the numbers.
        """
        index = index or self.index
        found = {}
        for numbers in batches(dict.fromkeys(vector_ids), IDS_AT_ONCE):
            rows = self.session.query(*_COLUMNS).filter(DocumentORM.index == index, DocumentORM.vector_id.in_(numbers))
            found.update({document.meta["vector_id"]: document for document in self._with_meta(list(rows), index)})
        return [found[number] for number in dict.fromkeys(vector_ids) if number in found]

    def get_document_ids(self, index: str | None = None, filters: FilterType | None = None) -> list[str]:
        """
        The ids of documents, without reading more of them; no parent has this.

        :param index: where; None: the default index.
        :param filters: which, in any form that `get_all_documents` takes; None: all.
        :return: in order.
        """
        return ids_of(self.session, index or self.index, filters)

    def get_document_count(
        self,
        filters: FilterType | None = None,
        index: str | None = None,
        only_documents_without_embedding: bool = False,
        headers: dict[str, str] | None = None,
    ) -> int:
        """
        As the parent does, which knows no filter but a field with a list of values, and that of any index.

        :param filters: which, in any form that `get_all_documents` takes; None: all.
        :param index: where; None: the default index.
        :param only_documents_without_embedding: whether to count those without a vector alone.
        :param headers: for the parent, which says that it takes none.
        """
        index = index or self.index
        if headers or not filters:
            return super().get_document_count(None, index, only_documents_without_embedding, headers)
        query = matching(self.session.query(DocumentORM.id), index, filters)
        return (
            query.filter(DocumentORM.vector_id.is_(None)).count() if only_documents_without_embedding else query.count()
        )

    def _with_meta(self, rows: list[Any], index: str) -> list[Document]:
        documents = {}
        for row in rows:
            meta = {} if row.vector_id is None else {"vector_id": row.vector_id}
            values = {"id": row.id, "content": row.content, "content_type": row.content_type, "meta": meta}
            documents[row.id] = Document.from_dict(values)
        columns = (
            MetaDocumentORM.document_id,
            MetaDocumentORM.document_index,
            MetaDocumentORM.name,
            MetaDocumentORM.value,
        )
        for ids in batches(documents, IDS_AT_ONCE):
            # the index is looked at here: asked for it, SQLite goes through all meta that the index has
            for identifier, place, name, value in self.session.query(*columns).filter(
                MetaDocumentORM.document_id.in_(ids)
            ):
                # meta that was read from a store and written back holds a number that was true then
                if place == index and name != "vector_id":
                    documents[identifier].meta[name] = value
        return list(documents.values())

    def _validate_embedding_dimension(self, retriever: Any, index: str | None = None) -> None:
        """As the parent does, which reads all documents to embed the first."""
        index = index or self.index
        first = self.session.query(*_COLUMNS).filter(DocumentORM.index == index).limit(1)
        embeddings = retriever.embed_documents(self._with_meta(list(first), index))
        self._validate_embeddings_shape(embeddings=embeddings, num_documents=1, embedding_dim=self.embedding_dim)
