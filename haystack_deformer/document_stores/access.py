"""What the hook asks a document store beside its public methods, for any store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any

from haystack.document_stores import BaseDocumentStore
from haystack.schema import Document, FilterType

from haystack_deformer.document_stores.batches import IDS_AT_ONCE, batches
from haystack_deformer.document_stores.reference import REPRESENTATION_META_KEY, references_shown
from haystack_deformer.document_stores.stored_document import StoredDocument
from haystack_deformer.document_stores.thread_value import ThreadValue
from haystack_deformer.document_stores.unfit import check_content, check_embedding


class DocumentAccess:
    """
    Any store, through what every store of Haystack has.

    It knows of the default index and of those that were written to since it was made, for no method lists them: a
    delete may remove states of equal texts in others, which `update_representations` or a query computes again.

    :param store: made by the mixin.
    :param update_meta: the parent's `update_document_meta`.
    """

    derived_meta: frozenset[str] = frozenset()
    """Fields that the store puts into the meta of what it hands out and keeps elsewhere."""

    knows_all_indexes = False
    """Whether `indexes` is sure to name all that hold documents, where that can be said beforehand: see `listing`."""

    def __init__(self, store: BaseDocumentStore, update_meta: Callable[..., None]) -> None:
        self.store: Any = store
        self._update_meta = update_meta
        self._there: dict[str, bool] = {}
        self._sent: ThreadValue[dict[str, str] | None] = ThreadValue(None)

    def sending(self, headers: dict[str, str] | None) -> AbstractContextManager[None]:
        """
        Send headers with all that this thread asks while the block runs, as the parent does with the call's own.

        :param headers: of HTTP, for stores that take them; None: none.
        """
        return self._sent.during(headers)

    @property
    def headers(self) -> dict[str, Any]:
        """The argument for those of the store's methods that take headers: empty where none are to be sent."""
        headers = self._sent.get()
        return {} if headers is None else {"headers": headers}

    def check_fit(self, document: Document) -> None:
        """
        Refuse a document that the store cannot hold as it is.

        :param document: to be written.
        :raises UnfitDocumentError: names the document and what is wrong with it.
        """
        check_content(document)
        check_embedding(document)

    def changing(self, index: str) -> AbstractContextManager[None]:  # noqa: ARG002  # for those that need it
        """
        Surround what the parent changes in an index, for stores that it leaves in disorder.

        :param index: its name.
        """
        return nullcontext()

    def note_index(self, index: str) -> None:
        """
        Remember that there is an index.

        :param index: its name.
        """
        self._there[index] = True

    def forget_index(self, index: str) -> None:
        """
        Remember that an index is gone.

        :param index: its name.
        """
        self._there[index] = False

    def indexes(self) -> list[str]:
        """The indexes that may hold documents, as far as they are known."""
        return [name for name, there in {self.store.index: True, **self._there}.items() if there]

    def listing(self) -> tuple[list[str], bool]:
        """The indexes as `indexes` names them, and whether they are sure to be all."""
        return self.indexes(), self.knows_all_indexes

    def exists(self, index: str) -> bool:  # noqa: ARG002  # for those that can tell
        """
        Whether there is an index; True where the store cannot tell.

        :param index: its name.
        """
        return True

    def holds_labels(self, index: str) -> bool:
        """
        Whether an index is the one for labels, which have no states; some parents delete them as if documents.

        :param index: its name.
        """
        return index == getattr(self.store, "label_index", None) and index != self.store.index

    def count(self, index: str, filters: FilterType | None = None) -> int:
        """
        Number of documents.

        :param index: where.
        :param filters: which; None: all.
        """
        return int(self.store.get_document_count(index=index, filters=filters, **self.headers))

    def documents(
        self, index: str, filters: FilterType | None = None, batch_size: int = 1_000
    ) -> Iterator[StoredDocument]:
        """
        Go through the documents of an index.

        :param index: where.
        :param filters: which; None: all.
        :param batch_size: documents to hold at once.
        """
        with references_shown():
            documents = self.store.get_all_documents_generator(
                index=index, filters=filters, return_embedding=False, batch_size=batch_size, **self.headers
            )
        while True:
            # this thread may read for others between two of our documents: shown for our own steps only
            with references_shown():
                batch = [StoredDocument.of(document, index) for document in islice(documents, batch_size)]
            yield from batch
            if len(batch) < batch_size:
                return

    def ids(self, index: str, filters: FilterType | None) -> set[str]:
        """
        The ids of the documents of an index.

        :param index: where.
        :param filters: which; None: all.
        """
        return {document.id for document in self.documents(index, filters)}

    def by_ids(self, ids: Collection[str], index: str | None = None) -> Iterable[StoredDocument]:
        """
        Go through the documents with some ids, of which not all are held at once.

        :param ids: those that are not there are passed over.
        :param index: where; None: in every index.
        """
        for name in self.indexes() if index is None else [index]:
            for batch in batches(ids, IDS_AT_ONCE):
                with references_shown():
                    documents = self.store.get_documents_by_id(batch, index=name, **self.headers)
                yield from [StoredDocument.of(document, name) for document in documents]

    def referring(self, references: Collection[str]) -> Iterable[StoredDocument]:
        """
        Go through the documents of every index whose meta carries one of some references; not all are held at once.

        :param references: of states, any number.
        """
        for name in self.indexes():
            for batch in batches(references, IDS_AT_ONCE):
                with references_shown():
                    documents = self.store.get_all_documents(
                        index=name, filters={REPRESENTATION_META_KEY: batch}, return_embedding=False, **self.headers
                    )
                yield from [StoredDocument.of(document, name) for document in documents]

    def set_references(self, index: str, references: Mapping[str, str]) -> None:
        """
        Write references into the meta of documents and leave the rest of it.

        :param index: where.
        :param references: by id. The documents must be there.
        """
        with references_shown():
            for batch in batches(references, IDS_AT_ONCE):
                for document in self.store.get_documents_by_id(batch, index=index, **self.headers):
                    meta = {**(document.meta or {}), REPRESENTATION_META_KEY: references[document.id]}
                    self._update_meta(document.id, meta, index=index, **self.headers)
