"""Documents that are there already: their missing states, and references that are missing or outdated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from haystack_deformer.document_stores.access import DocumentAccess
from haystack_deformer.document_stores.computing import missing_texts
from haystack_deformer.document_stores.keeping import StateKeeper
from haystack_deformer.document_stores.states import StoreStates
from haystack_deformer.document_stores.stored_document import StoredDocument


class IndexUpdater:
    """
    Brings documents up to date, some at a time.

    :param access: to the documents.
    :param keeper: keeps others from removing what is being made.
    :param states: makes them.
    """

    def __init__(self, access: DocumentAccess, keeper: StateKeeper, states: StoreStates) -> None:
        self._access = access
        self._keeper = keeper
        self._states = states

    def update(self, index: str, documents: Sequence[StoredDocument], report: Callable[[int], object]) -> int:
        """
        Make what documents lack.

        :param index: where they are.
        :param documents: as they were read.
        :param report: called with a number of documents that are done.
        :return: how many texts were computed.
        """
        with_text = {document.id: document for document in documents if document.text is not None}
        report(len(documents) - len(with_text))
        if not with_text:
            return 0
        representations = self._states.representations
        keys: dict[str, bytes] = {}
        texts: dict[bytes, str] = {}
        for document in with_text.values():
            keys[document.id] = representations.key(document.text or "")
            texts[keys[document.id]] = document.text or ""
        sharing = Counter(keys.values())
        outdated = [document.id for document in with_text.values() if document.reference != keys[document.id].hex()]
        with self._keeper.writing(texts):
            missing = missing_texts(representations, texts)
            report(sum(sharing[key] for key in texts if key not in missing))
            self._states.compute(missing, lambda key: report(sharing[key]))
            computed = [identifier for identifier, key in keys.items() if key in missing]
            with self._keeper.lock:
                # what another thread deleted or wrote anew meanwhile must not get the reference of what it was
                asked = list(dict.fromkeys([*outdated, *computed]))
                current = {d.id for d in self._access.by_ids(asked, index) if d.text == with_text[d.id].text}
                references = {identifier: keys[identifier].hex() for identifier in outdated if identifier in current}
                self._access.set_references(index, references)
                self._access.note_index(index)
        # deleted before its text was one that is written: nobody else knows of the states
        self._keeper.release(with_text[identifier] for identifier in computed if identifier not in current)
        return len(missing)
