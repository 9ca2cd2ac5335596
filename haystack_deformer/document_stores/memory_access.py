"""What the hook asks the stores in memory: what they hold, without copies of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from haystack.schema import Document, FilterType

from haystack_deformer.document_stores.access import DocumentAccess
from haystack_deformer.document_stores.reference import REPRESENTATION_META_KEY
from haystack_deformer.document_stores.stored_document import StoredDocument


class MemoryDocumentAccess(DocumentAccess):
    """InMemoryDocumentStore: its dictionaries, where its methods copy every document to look at one."""

    knows_all_indexes = True

    def indexes(self) -> list[str]:
        """All indexes that hold documents; labels are in the same dictionary."""
        return [name for name in list(self.store.indexes) if self._held(name)]

    def holds_labels(self, index: str) -> bool:  # noqa: ARG002
        """Labels are told from documents one by one: see :meth:`DocumentAccess.holds_labels`."""
        return False

    def count(self, index: str, filters: FilterType | None = None) -> int:
        """Number of documents: see :meth:`DocumentAccess.count`."""
        return super().count(index, filters) if filters else len(self._held(index))

    def documents(
        self, index: str, filters: FilterType | None = None, batch_size: int = 1_000
    ) -> Iterator[StoredDocument]:
        """Go through the documents of an index: see :meth:`DocumentAccess.documents`."""
        if filters:
            return super().documents(index, filters, batch_size)
        return (StoredDocument.of(document, index) for document in self._held(index))

    def by_ids(self, ids: Collection[str], index: str | None = None) -> list[StoredDocument]:
        """The documents with some ids: see :meth:`DocumentAccess.by_ids`."""
        found = []
        for name in list(self.store.indexes) if index is None else [index]:
            held = self.store.indexes.get(name, {})
            documents = [held.get(wanted) for wanted in dict.fromkeys(ids)]
            found += [StoredDocument.of(document, name) for document in documents if isinstance(document, Document)]
        return found

    def referring(self, references: Collection[str]) -> list[StoredDocument]:
        """The documents whose meta carries one of some references: see :meth:`DocumentAccess.referring`."""
        wanted = set(references)
        return [
            StoredDocument.of(document, index)
            for index in list(self.store.indexes)
            for document in self._held(index)
            if (document.meta or {}).get(REPRESENTATION_META_KEY) in wanted
        ]

    def set_references(self, index: str, references: Mapping[str, str]) -> None:
        """Write references into the meta of documents: see :meth:`DocumentAccess.set_references`."""
        for identifier, reference in references.items():
            self.store.indexes[index][identifier].meta[REPRESENTATION_META_KEY] = reference

    def _held(self, index: str) -> list[Document]:
        # a copy of the values: another thread may write meanwhile
        return [held for held in list(self.store.indexes.get(index, {}).values()) if isinstance(held, Document)]
