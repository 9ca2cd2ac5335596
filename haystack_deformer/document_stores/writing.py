"""Documents on their way into a store: their states first, then the documents, then what they replaced goes."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from haystack.schema import Document
from tqdm import tqdm

from haystack_deformer.document_stores.access import DocumentAccess
from haystack_deformer.document_stores.computing import missing_texts
from haystack_deformer.document_stores.keeping import StateKeeper
from haystack_deformer.document_stores.reference import with_reference
from haystack_deformer.document_stores.states import StoreStates
from haystack_deformer.document_stores.stored_document import StoredDocument, text_of

logger = logging.getLogger(__name__)


class DocumentWriter:
    """
    Writes documents through a store's parent, each with a reference to its states.

    :param access: to the documents.
    :param keeper: keeps others from removing states that are needed soon.
    :param states: makes them.
    :param bar: makes a progress bar of a total and a description.
    """

    def __init__(
        self, access: DocumentAccess, keeper: StateKeeper, states: StoreStates, bar: Callable[[int, str], tqdm]
    ) -> None:
        self._access = access
        self._keeper = keeper
        self._states = states
        self._bar = bar

    def write(
        self, documents: Sequence[Document], index: str, mode: str, write: Callable[[list[Document]], None]
    ) -> None:
        """
        Compute and store the states that are missing, then write.

        :param documents: an id may come twice.
        :param index: where.
        :param mode: what to do where the id is there: "skip", "overwrite" or "fail".
        :param write: the parent's way to write documents, in this mode.
        :raises DuplicateDocumentError: the parent's, in the mode "fail"; nothing is written then.
        """
        ids = [document.id for document in documents]
        keeps_first = mode in ("skip", "fail")
        there = {document.id for document in self._access.by_ids(ids, index)} if keeps_first else set()
        if mode == "fail" and there:
            # these alone: some parents would have written the others by the time they raise
            write([document for document in documents if document.id in there])
        keys = self._states.keys(documents)
        texts: dict[bytes, str] = {}
        # by id, those with a text that are not written, unless what is there is deleted meanwhile
        passed_over: dict[str, tuple[bytes, str]] = {}
        seen: set[str] = set()
        for document, key in zip(documents, keys, strict=True):
            if key is not None and not (keeps_first and document.id in seen):
                if document.id in there:
                    passed_over[document.id] = (key, document.content)
                else:
                    texts[key] = document.content
            seen.add(document.id)
        with self._keeper.writing([*texts, *(key for key, _ in passed_over.values())]):
            self._compute_missing(texts)
            with self._keeper.lock:
                if there:
                    there = {document.id for document in self._access.by_ids(there, index)}
                    self._compute_missing(dict(text for name, text in passed_over.items() if name not in there))
                replaced = list(self._access.by_ids(ids, index)) if mode == "overwrite" else []
                # those that are there are not handed on: parents look for them by one list in another
                chosen = [
                    self._prepared(document, key)
                    for document, key in zip(documents, keys, strict=True)
                    if document.id not in there
                ]
                if chosen or not documents:
                    with self._access.changing(index):
                        write(chosen)
                self._access.note_index(index)
        self._release(replaced, documents, index)

    def _prepared(self, document: Document, key: bytes | None) -> Document:
        # a document that was read from a store has its vector_id among the meta, which is not its number in this one
        return with_reference(document, None if key is None else key.hex(), self._access.derived_meta)

    def _compute_missing(self, texts: dict[bytes, str]) -> None:
        if not texts:
            return
        missing = missing_texts(self._states.representations, texts)
        with self._bar(len(missing), "Computing Representations") as bar:
            self._states.compute(missing, lambda _: bar.update())
        stored = len(texts) - len(missing)
        logger.info("The states of %d texts were computed, those of %d were stored.", len(missing), stored)

    def _release(self, replaced: Sequence[StoredDocument], documents: Sequence[Document], index: str) -> None:
        """Let go of the states of what was overwritten, and of all but one of those that came with one id."""
        counts = Counter(document.id for document in documents)
        losers = [StoredDocument.of(document, index) for document in documents if counts[document.id] > 1]
        new = {document.id: text_of(document.content, document.content_type) for document in documents}
        changed = [document for document in replaced if document.text != new[document.id]]
        self._keeper.release([*changed, *losers])
