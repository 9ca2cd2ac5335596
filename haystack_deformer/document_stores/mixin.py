"""The hook: a document store that keeps the states of its documents' texts as well as the documents."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from haystack.schema import Document, FilterType

from haystack_deformer.document_stores.batches import batches
from haystack_deformer.document_stores.holding import HoldsRepresentations
from haystack_deformer.document_stores.reference import REPRESENTATION_META_KEY
from haystack_deformer.document_stores.repairs.filters import check_filters, checked_ids
from haystack_deformer.parameters import as_int, as_optional_int

logger = logging.getLogger(__name__)

_UPDATE_BATCH = 1_000


class DeFormerDocumentStoreMixin(HoldsRepresentations):
    """
    Makes a DeFormer store of a Haystack document store: put it ahead of the store, and call `_init_representations`.

    ```python
    class DeFormerSQLDocumentStore(DeFormerDocumentStoreMixin, SQLDocumentStore):
        def __init__(self, url: str = "sqlite://", index: str = "document", deformer_model: Optional[str] = None):
            self._init_representations(deformer_model, representation_path=path_beside(url))
            super().__init__(url=url, index=index)
            give_threads_their_sessions(self)  # for stores with SQL alone
    ```

    Haystack wants every parameter named in `__init__` (no `**kwargs`) with types from `typing`, and the module without
    `from __future__ import annotations`, for its YAML schema. A class without an `__init__` of its own loses its
    parameters in YAML.

    The states of a text are computed and stored before its document is written: a crash in between leaves states
    without a document, which `prune_representations` removes, and never a document that lacks its states. They are
    stored once for equal texts, and removed with the last document of any index that has the text. In the store a
    document's meta carries a reference to them, which filters can name (`REPRESENTATION_META_KEY`) and which the
    documents that the store hands out do not show.

    One folder of states belongs to one set of documents: stores with different documents remove each other's states.
    Processes that share their documents, in a search engine, may share it too: see docs/deployment.md.
    """

    def write_documents(
        self,
        documents: list[dict] | list[Document],
        index: str | None = None,
        batch_size: int | None = None,
        duplicate_documents: str | None = None,
        headers: dict[str, str] | None = None,
        **parent_arguments: Any,
    ) -> None:
        """
        Compute and store the states of the documents' texts as far as they are missing, then write the documents.

        Tables, images and documents without a text are written as they are. The documents given are left as they are.

        :param documents: documents, or dictionaries as the parent takes them.
        :param index: where; None: the default index.
        :param batch_size: documents that the parent writes at once.
        :param duplicate_documents: what to do where the id is there: "skip", "overwrite" or "fail"; as the parent does.
            Nothing is computed for what will not be written.
        :param headers: for the parent, and for what is asked beside.
        :param parent_arguments: others that the parent has.
        :raises DuplicateDocumentError: in the mode "fail"; nothing of the call is written then.
        :raises UnfitDocumentError: for a document that the store cannot hold as it is; nothing is written then.
        """
        index = index or self.index
        mode = duplicate_documents or self.duplicate_documents
        arguments = {**parent_arguments, "index": index, "duplicate_documents": duplicate_documents, "headers": headers}
        if batch_size is not None:
            arguments["batch_size"] = as_int("batch_size", batch_size)
        if mode not in self.duplicate_documents_options:
            super().write_documents(documents, **arguments)  # says what is wrong
            return
        prepared = [self._as_document(document) for document in documents]
        self._check_fit(prepared, index)
        write = super().write_documents
        with self._access.sending(headers):
            self._writer.write(prepared, index, mode, lambda chosen: write(chosen, **arguments))

    def update_representations(
        self,
        index: str | None = None,
        batch_size: int | None = None,
        filters: FilterType | None = None,
        headers: dict[str, str] | None = None,
    ) -> int:
        """
        Compute the states that an index lacks: of documents that a plain store wrote, or after the model was changed.

        ```python
        store = DeFormerFAISSDocumentStore.load("index.faiss", deformer_model="my-model")  # saved by FAISSDocumentStore
        store.update_representations()
        ```

        States that are there are not computed again: after an interrupt it goes on where it was.

        :param index: which; None: the default index.
        :param batch_size: documents that are held at once; None: 1,000.
        :param filters: which documents; None: all.
        :param headers: of HTTP, for stores that take them.
        :return: how many texts were computed.
        :raises ValueError: for a batch of no documents.
        """
        index = index or self.index
        batch_size = as_optional_int("batch_size", batch_size) or _UPDATE_BATCH
        with self._access.sending(headers):
            total = self._access.count(index, filters)
            if not total:
                logger.warning("Calling update_representations() on an empty index")
                return 0
            computed = 0
            with self._bar(total, "Updating Representations") as bar:
                for batch in batches(self._access.documents(index, filters, batch_size), batch_size):
                    computed += self._updater.update(index, batch, bar.update)
        logger.info("The states of %d texts of %d documents were computed, all others were stored.", computed, total)
        return computed

    def update_document_meta(
        self,
        id: str,  # noqa: A002
        meta: dict[str, Any],
        index: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """
        Update the meta of a document as the parent does, and keep its reference.

        :param id: of the document.
        :param meta: as for the parent: some replace the whole by it, some add it to what is there.
        :param index: where; None: the default index.
        :param headers: of HTTP, for parents that take them.
        :raises KeyError: where there is no such document.
        """
        index = index or self.index
        # what was read from a store may be given back: its vector_id among the meta would outlive the next update of it
        left_out = {REPRESENTATION_META_KEY, *self._access.derived_meta}
        meta = {name: value for name, value in meta.items() if name not in left_out}
        with self._keeper.lock, self._access.sending(headers), self._access.changing(index):
            found = list(self._access.by_ids([id], index))
            if not found:
                # some parents write meta of nobody, which a document of this id would have later
                msg = f"There is no document {id!r} in the index {index!r}."
                raise KeyError(msg)
            for document in found:
                if document.reference is not None:
                    meta[REPRESENTATION_META_KEY] = document.reference
            super().update_document_meta(id, meta, index=index, **self._access.headers)

    def delete_labels(
        self,
        index: str | None = None,
        ids: list[str] | None = None,
        filters: FilterType | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """
        Delete labels as the parent does.

        :param index: where; None: the default index for labels.
        :param ids: which; None: not narrowed by id. An empty list deletes nothing; Haystack deletes all then.
        :param filters: which; None: not narrowed.
        :param headers: for the parent.
        :raises ValueError: for one id that is no list.
        """
        ids = checked_ids(ids)
        if ids != []:
            super().delete_labels(index=index, ids=ids, filters=filters, headers=headers)

    def delete_documents(
        self,
        index: str | None = None,
        ids: list[str] | None = None,
        filters: FilterType | None = None,
        headers: dict[str, str] | None = None,
        **parent_arguments: Any,
    ) -> None:
        """
        Delete documents, then the states of texts that no document has any more.

        :param index: where; None: the default index.
        :param ids: which; None: not narrowed by id. An empty list deletes nothing; Haystack deletes all then.
        :param filters: which; None: not narrowed by meta.
        :param headers: for the parent, and for what is asked beside.
        :param parent_arguments: others that the parent has.
        :raises ValueError: for one id that is no list, and filters of which Haystack would pass over a part.
        """
        check_filters(filters)
        ids = checked_ids(ids)
        if ids == []:
            return
        index = index or self.index
        with self._access.sending(headers), self._keeper.deleting(index, ids, filters):
            super().delete_documents(index=index, ids=ids, filters=filters, headers=headers, **parent_arguments)

    def delete_index(self, index: str) -> None:
        """
        Delete an index, then the states of texts that no document has any more.

        :param index: its name.
        """
        with self._keeper.deleting(index, None, None):
            super().delete_index(index)
            self._access.forget_index(index)

    def prune_representations(self, indexes: list[str] | None = None, headers: dict[str, str] | None = None) -> int:
        """
        Remove the states of texts that no document of any index has, and give their room back to the disk.

        Reads all documents; this process' writing and deleting wait meanwhile, and no other may write. Seldom needed:
        for what a crash or a write that failed left, or documents that were removed by another program.

        :param indexes: all that hold documents. Stores in SQL, in memory and over a search engine list theirs, for all
            others they have to be named.
        :param headers: of HTTP, for stores that take them.
        :return: how many were removed.
        :raises ValueError: where there is no such index; where none is named and the store cannot list its own.
        """
        with self._access.sending(headers):
            return self._keeper.prune([indexes] if isinstance(indexes, str) else indexes or ())

    def _as_document(self, document: dict | Document) -> Document:
        if not isinstance(document, dict):
            return document
        # from_dict moves fields that it does not know into the meta that it is given, the caller's
        own = {**document, "meta": dict(document.get("meta") or {})}
        return Document.from_dict(own, field_map=self._create_document_field_map())

    def _check_fit(self, documents: Sequence[Document], index: str) -> None:  # noqa: ARG002  # stores over it ask
        """Refuse documents that the store cannot hold as they are, before their states are computed."""
        for document in documents:
            self._access.check_fit(document)
