"""Writing ids that are there in the modes "skip" and "fail": nothing is computed or handed on in vain."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from haystack.document_stores import FAISSDocumentStore, InMemoryDocumentStore
from haystack.errors import DuplicateDocumentError
from haystack.schema import Document

PARIS, BERLIN, ROME = "paris is in france", "berlin is in germany", "a river in the city"


def test_skip_computes_nothing_for_what_is_skipped(store: Any, computed: list[str], stored: Any) -> None:
    store.write_documents([Document(content=PARIS, id="1")])
    store.write_documents(
        [
            Document(content=BERLIN, id="1"),
            Document(content=ROME, id="2"),
            Document(content="the first of an id is written", id="2"),
        ],
        duplicate_documents="skip",
    )
    assert computed == [PARIS, ROME]
    assert {d.id: d.content for d in store.get_all_documents()} == {"1": PARIS, "2": ROME}
    assert stored(store, PARIS, ROME) == [PARIS, ROME]


def test_skip_computes_what_is_deleted_before_the_write(
    store: Any, computed: list[str], stored: Any, monkeypatch: Any
) -> None:
    store.write_documents([Document(content=PARIS, id="1")])
    keys = store._writer._states.keys

    def keys_while_another_deletes(documents: Any) -> Any:
        store.delete_documents(ids=["1"])
        return keys(documents)

    # after the look at what is there
    monkeypatch.setattr(store._writer._states, "keys", keys_while_another_deletes)
    store.write_documents(
        [Document(content=PARIS, id="1"), Document(content=BERLIN, id="2")], duplicate_documents="skip"
    )
    assert computed == [PARIS, BERLIN, PARIS]
    assert stored(store, PARIS, BERLIN) == [PARIS, BERLIN]
    assert store.get_document_count() == 2


def test_skip_hands_on_what_is_not_there_alone(store: Any, monkeypatch: Any) -> None:
    parent = FAISSDocumentStore if isinstance(store, FAISSDocumentStore) else InMemoryDocumentStore
    write, given = parent.write_documents, []

    def recording(self: Any, documents: Any, *args: Any, **kwargs: Any) -> None:
        given.extend(document.id for document in documents)
        write(self, documents, *args, **kwargs)

    table = Document(content=pd.DataFrame({"city": ["paris"]}), content_type="table", id="2")
    store.write_documents([Document(content=PARIS, id="1"), table])
    monkeypatch.setattr(parent, "write_documents", recording)
    for _ in range(2):
        store.write_documents(
            [Document(content=BERLIN, id="1"), table, Document(content=ROME, id="3")], duplicate_documents="skip"
        )
    assert given == ["3"]


def test_fail_raises_the_parents_error_and_leaves_nothing(store: Any, computed: list[str], stored: Any) -> None:
    store.write_documents([Document(content=PARIS, id="1")])
    with pytest.raises(DuplicateDocumentError):
        store.write_documents(
            [Document(content=BERLIN, id="2"), Document(content=ROME, id="1")], duplicate_documents="fail"
        )
    assert computed == [PARIS]
    assert [d.id for d in store.get_all_documents()] == ["1"]
    assert stored(store, PARIS, BERLIN, ROME) == [PARIS]


def test_fail_without_duplicates_writes(store: Any, stored: Any) -> None:
    store.write_documents([Document(content=PARIS, id="1")], duplicate_documents="fail")
    assert stored(store, PARIS) == [PARIS]
