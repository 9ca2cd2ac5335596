"""Which stored states are still needed: those of a text that a document of any index has, or is about to have."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

from haystack.schema import FilterType

from haystack_deformer.document_stores.access import DocumentAccess
from haystack_deformer.document_stores.batches import IDS_AT_ONCE, batches
from haystack_deformer.document_stores.stored_document import StoredDocument
from haystack_deformer.representations import Representations, RepresentationStoreError

logger = logging.getLogger(__name__)


class StateKeeper:
    """
    Removes states with the last document that has their text, whatever other threads write and delete meanwhile.

    :param access: to the documents.
    :param representations: gives the stored states; called when they are needed, since it may load the model.
    """

    def __init__(self, access: DocumentAccess, representations: Callable[[], Representations]) -> None:
        self._access = access
        self._representations = representations
        self._pending: Counter[bytes] = Counter()
        # what lost a document while another was on its way, with the ids of those that had it: looked at afterwards
        self._deferred: dict[bytes, set[str]] = {}
        self.lock = threading.RLock()
        """One thread at a time from "which documents have this text" to what follows from the answer."""

    @contextmanager
    def writing(self, keys: Iterable[bytes]) -> Iterator[None]:
        """
        Keep states while documents that will refer to them are on their way.

        :param keys: of the states.
        """
        keys = list(keys)
        with self.lock:
            self._pending.update(keys)
        try:
            yield
        finally:
            with self.lock:
                self._pending.subtract(keys)
                for key in keys:
                    if self._pending[key] <= 0:
                        del self._pending[key]
                self._remove_unneeded(
                    {key: self._deferred.pop(key) for key in keys if key in self._deferred and key not in self._pending}
                )

    @contextmanager
    def deleting(self, index: str, ids: Iterable[str] | None, filters: FilterType | None) -> Iterator[None]:
        """
        Remove what is no longer needed after the block has deleted documents.

        :param index: where.
        :param ids: which; none: not narrowed by id.
        :param filters: which; none: not narrowed by meta.
        """
        if self._access.holds_labels(index):
            yield
            return
        with self.lock:
            if not ids and not filters and self._alone(index):
                # nothing will be left: all states go, and no text has to be read for it
                representations = self._representations() if self._access.count(index) else None
                yield
                if representations is not None:
                    with _left_where_they_cannot_go():
                        representations.prune(set(self._pending))
                    for key in self._pending:
                        self._deferred.setdefault(key, set())
                return
            going = set(ids or ()) or self._access.ids(index, filters)
            # keys in place of the texts, which may not fit into memory together; should the model not load, then before
            # a document is gone; in every index, since some parents delete an id from all
            had = self._keyed(self._access.by_ids(going))
            yield
            self._release(had)

    def release(self, documents: Iterable[StoredDocument]) -> None:
        """
        Remove the states of texts that documents had, unless a document has the text still or is about to.

        :param documents: as they were.
        """
        self._release(self._keyed(documents))

    def prune(self, indexes: Iterable[str] = ()) -> int:
        """
        Remove the states of all texts that no document has, by reading every document.

        :param indexes: that hold documents, beside those that are known.
        :return: how many were removed.
        :raises ValueError: where there is no such index; where none is given and the store cannot list its own.
        """
        indexes = list(indexes)
        for index in indexes:
            if not self._access.exists(index):
                msg = f"There is no index {index!r}: give in indexes the names of those that hold documents."
                raise ValueError(msg)
        with self.lock:
            known, all_known = self._access.listing()
            if not indexes and not all_known:
                msg = (
                    "This document store cannot list its indexes, and the states of documents in any but "
                    f"{', '.join(map(repr, known))} would be removed: name all that hold documents, "
                    f"prune_representations(indexes={known})."
                )
                raise ValueError(msg)
            representations = self._representations()
            keep = set(self._pending)
            for index in dict.fromkeys([*known, *indexes]):
                documents = self._access.documents(index)
                keep.update(representations.key(document.text) for document in documents if document.text is not None)
            removed = representations.prune(keep)
            representations.compact()
        return removed

    def _keyed(self, documents: Iterable[StoredDocument]) -> list[tuple[bytes, str]]:
        """The keys of the texts that documents have, with their ids; the model is loaded for the first text."""
        return [(self._representations().key(d.text), d.id) for d in documents if d.text is not None]

    def _release(self, had: list[tuple[bytes, str]]) -> None:
        if not had:
            return
        with self.lock:
            ids: dict[bytes, set[str]] = {}
            for key, identifier in had:
                (self._deferred if key in self._pending else ids).setdefault(key, set()).add(identifier)
            self._remove_unneeded(ids)

    def _remove_unneeded(self, ids: Mapping[bytes, set[str]]) -> None:
        """Of some states, with the ids of documents that had their text, remove those that no document has."""
        if not ids:
            return
        # asked of all at once: a store in memory goes through its documents for it
        references = [key.hex() for key in ids]
        # by id as well: Haystack's own SQL stores, over the same tables, remove references of other indexes
        found = chain(self._access.referring(references), self._access.by_ids(set().union(*ids.values())))
        kept = {self._representations().key(document.text) for document in found if document.text is not None}
        with _left_where_they_cannot_go():
            for keys in batches((key for key in ids if key not in kept), IDS_AT_ONCE):
                self._representations().delete(keys)

    def _alone(self, index: str) -> bool:
        """Whether no other index holds documents, as far as that can be told for sure."""
        known, all_known = self._access.listing()
        return all_known and not any(self._access.count(other) for other in known if other != index)


@contextmanager
def _left_where_they_cannot_go() -> Iterator[None]:
    """The documents are gone or changed already: an error would say that nothing was done."""
    try:
        yield
    except RepresentationStoreError as problem:
        logger.warning(
            "States that no document needs any more could not be removed and stay until prune_representations() is "
            "called: %s",
            problem,
        )
