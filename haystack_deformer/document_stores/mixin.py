"""The hook: a document store that keeps the states of its documents' texts as well as the documents."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from haystack.document_stores import BaseDocumentStore, InMemoryDocumentStore, SQLDocumentStore
from haystack.schema import Document, FilterType
from tqdm import tqdm

from haystack_deformer.document_stores.access import (
    DocumentAccess,
    MemoryDocumentAccess,
    StoredDocument,
    batches,
    text_of,
)
from haystack_deformer.document_stores.arguments import RepresentationSettings
from haystack_deformer.document_stores.computing import compute, missing_texts
from haystack_deformer.document_stores.keeping import StateKeeper
from haystack_deformer.document_stores.reference import REPRESENTATION_META_KEY, HidesReferences, with_reference
from haystack_deformer.document_stores.sql import SQLDocumentAccess
from haystack_deformer.document_stores.updating import IndexUpdater
from haystack_deformer.passages import PassageEncoder, load_encoder
from haystack_deformer.representations import Representations

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    _Store: TypeAlias = BaseDocumentStore
else:
    # Haystack wraps the __init__ of all its classes: were the mixin one of them, super().__init__ would end at it
    _Store = object

_UPDATE_BATCH = 1_000


class DeFormerDocumentStoreMixin(HidesReferences, _Store):
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

    One folder of states belongs to one set of documents: stores that share a folder remove each other's states.
    """

    deformer_model: str
    """Name or path of the model whose states are stored."""

    def _init_representations(
        self,
        deformer_model: str | None,
        lower_layers: int | None = None,
        representation_path: str | None = None,
        representation_codec: str = "SQfp16",
        representation_batch_size: int = 32,
        representation_backend: str = "torch",
        representation_dtype: str = "float32",
    ) -> None:
        """
        Call before the parent's `__init__`, so that wrong arguments are told before it makes a file.

        :param deformer_model: name or path of the model whose states are stored; it is loaded at the first need.
        :param lower_layers: the cut k; None: as the model records.
        :param representation_path: folder for the states; None keeps them in memory.
        :param representation_codec: factory string of faiss for how they are compressed.
        :param representation_batch_size: windows that go through the lower layers at once.
        :param representation_backend: what runs them, "torch" or "onnx".
        :param representation_dtype: of their matrix products: "float32", "bfloat16" (torch) or "int8" (onnx).
        :raises ValueError: for a value that cannot be used.
        :raises OSError: where there is no such model, or it has no weights.
        :raises RepresentationStoreError: where the path is a file.
        """
        self._settings = RepresentationSettings.checked(
            deformer_model,
            lower_layers,
            representation_path,
            representation_codec,
            representation_batch_size,
            representation_backend,
            representation_dtype,
        )
        self.deformer_model = self._settings.model
        self._encoder: PassageEncoder | None = None
        self._representations: Representations | None = None
        self._loading = threading.RLock()
        access: Callable[..., DocumentAccess] = DocumentAccess
        if isinstance(self, SQLDocumentStore):
            access = SQLDocumentAccess
        elif isinstance(self, InMemoryDocumentStore):
            access = MemoryDocumentAccess
        self._access = access(self, super().update_document_meta)
        self._keeper = StateKeeper(self._access, lambda: self.representations)
        self._updater = IndexUpdater(self._access, self._keeper, lambda: self.representations, self._compute)

    @property
    def lower_layers(self) -> int:
        """The model's cut k."""
        return self._settings.lower_layers

    @property
    def representation_backend(self) -> str:
        """What computes the states."""
        return self._settings.backend

    @property
    def representation_dtype(self) -> str:
        """Of its matrix products."""
        return self._settings.dtype

    @property
    def encoder(self) -> PassageEncoder:
        """The model that makes the states, shared with every reader of the same model in this process."""
        with self._loading:
            if self._encoder is None:
                self._encoder = load_encoder(
                    self.deformer_model,
                    lower_layers=self.lower_layers,
                    device=self._representation_device(),
                    backend=self.representation_backend,
                    dtype=self.representation_dtype,
                )
            return self._encoder

    @property
    def representations(self) -> Representations:
        """The stored states."""
        with self._loading:
            if self._representations is None:
                encoder = self.encoder
                self._representations = Representations.open(
                    encoder.manifest(self._settings.codec),
                    self._settings.path,
                    training_sample=encoder.sample_states,
                )
            return self._representations

    def _representation_device(self) -> torch.device | None:
        """Where the lower layers run; None: where a reader runs by default, so that both share the weights."""
        return None

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
        :param headers: for the parent.
        :param parent_arguments: others that the parent has.
        :raises DuplicateDocumentError: in the mode "fail"; nothing of the call is written then.
        """
        index = index or self.index
        mode = duplicate_documents or self.duplicate_documents
        arguments = {**parent_arguments, "index": index, "duplicate_documents": duplicate_documents, "headers": headers}
        if batch_size is not None:
            arguments["batch_size"] = batch_size
        if mode not in self.duplicate_documents_options:
            super().write_documents(documents, **arguments)  # says what is wrong
            return
        prepared = [self._as_document(document) for document in documents]
        ids = [document.id for document in prepared]
        skipped: set[str] = set()
        if mode in ("skip", "fail"):
            skipped = {document.id for document in self._access.by_ids(ids, index)}
        if mode == "fail" and skipped:
            # these alone: some parents would have written the others by the time they raise
            super().write_documents([document for document in prepared if document.id in skipped], **arguments)
        keys = self._keys(prepared)
        texts = {}
        for document, key in zip(prepared, keys, strict=True):
            if key is not None and document.id not in skipped:
                texts[key] = document.content
            if mode in ("skip", "fail"):
                skipped.add(document.id)  # the parents keep the first of those with one id
        with self._keeper.writing(texts):
            missing = missing_texts(self.representations, texts) if texts else {}
            with self._bar(len(missing), "Computing Representations") as bar:
                self._compute(missing, lambda _: bar.update())
            if texts:
                stored = len(texts) - len(missing)
                logger.info("The states of %d texts were computed, those of %d were stored.", len(missing), stored)
            with self._keeper.lock:
                replaced = self._access.by_ids(ids, index) if mode == "overwrite" else []
                super().write_documents(
                    [
                        with_reference(document, None if key is None else key.hex())
                        for document, key in zip(prepared, keys, strict=True)
                    ],
                    **arguments,
                )
                self._access.note_index(index)
        repeated = {identifier for identifier, count in Counter(ids).items() if count > 1}
        losers = [StoredDocument.of(document, index) for document in prepared if document.id in repeated]
        new = {document.id: text_of(document.content, document.content_type) for document in prepared}
        changed = [document for document in replaced if document.text != new[document.id]]
        self._keeper.release([*changed, *losers])

    def update_representations(
        self, index: str | None = None, batch_size: int | None = None, filters: FilterType | None = None
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
        :return: how many texts were computed.
        """
        index = index or self.index
        batch_size = batch_size or _UPDATE_BATCH
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

    def update_document_meta(self, id: str, meta: dict[str, Any], index: str | None = None) -> None:  # noqa: A002
        """
        Update the meta of a document as the parent does, and keep its reference.

        :param id: of the document.
        :param meta: as for the parent: some replace the whole by it, some add it to what is there.
        :param index: where; None: the default index.
        """
        index = index or self.index
        # what was read from a store may be given back: its vector_id among the meta would outlive the next update of it
        left_out = {REPRESENTATION_META_KEY, *self._access.derived_meta}
        meta = {name: value for name, value in meta.items() if name not in left_out}
        with self._keeper.lock:
            for document in self._access.by_ids([id], index):
                if document.reference is not None:
                    meta[REPRESENTATION_META_KEY] = document.reference
            super().update_document_meta(id, meta, index=index)

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
        :param ids: which; None: not narrowed by id.
        :param filters: which; None: not narrowed by meta.
        :param headers: for the parent.
        :param parent_arguments: others that the parent has.
        """
        index = index or self.index
        with self._keeper.deleting(index, ids, filters):
            super().delete_documents(index=index, ids=ids, filters=filters, headers=headers, **parent_arguments)

    def delete_index(self, index: str) -> None:
        """
        Delete an index, then the states of texts that no document has any more.

        :param index: its name.
        """
        with self._keeper.deleting(index, None, None):
            super().delete_index(index)

    def prune_representations(self) -> int:
        """
        Remove the states of texts that no document of any index has, and give their room back to the disk.

        Reads all documents; writing and deleting wait meanwhile. Seldom needed: for what a crash or a write that failed
        left, or documents that were removed by another program.

        :return: how many were removed.
        """
        return self._keeper.prune()

    def describe_representations(self) -> dict[str, Any]:
        """
        Say what is stored, where and how.

        :return: among others count, bytes, bytes_per_passage, model, codec, details (the cut, the windows) and path:
            see :meth:`Representations.describe`.
        """
        return self.representations.describe()

    def _as_document(self, document: dict | Document) -> Document:
        if not isinstance(document, dict):
            return document
        # from_dict moves fields that it does not know into the meta that it is given, the caller's
        own = {**document, "meta": dict(document.get("meta") or {})}
        return Document.from_dict(own, field_map=self._create_document_field_map())

    def _keys(self, documents: Iterable[Document]) -> list[bytes | None]:
        """For each document the key of its text; None where it has none, and the model is not loaded for such."""
        texts = [text_of(document.content, document.content_type) for document in documents]
        return [None if text is None else self.representations.key(text) for text in texts]

    def _bar(self, total: int, description: str) -> tqdm:
        shown = getattr(self, "progress_bar", True)
        return tqdm(total=total, desc=description, unit=" texts", disable=not shown or not total, position=0)

    def _compute(self, texts: dict[bytes, str], report: Callable[[bytes], object]) -> None:
        if texts:
            compute(self.encoder, self.representations, texts, self._settings.batch_size, report)
