"""Deleting: states go with the last document that has their text, and not before."""

from __future__ import annotations

import gc
from typing import Any

import pandas as pd
import pytest
from haystack.document_stores import InMemoryDocumentStore
from haystack.schema import Document

from haystack_deformer.document_stores import keeping, sql
from haystack_deformer.document_stores.repairs.vectors import SteadyVectors
from haystack_deformer.document_stores.stored_document import StoredDocument, text_of
from haystack_deformer.representations import StoreFullError, StoreReadOnlyError

PARIS, BERLIN, ROME = "paris is in france", "berlin is in germany", "a river in the city"
ALL = (PARIS, BERLIN, ROME)


@pytest.fixture
def filled(store: Any) -> Any:
    """Three texts under four ids, one of them in two indexes."""
    store.write_documents(
        [
            Document(content=PARIS, id="1", meta={"country": "france"}),
            Document(content=PARIS, id="2", meta={"country": "france"}),
            Document(content=BERLIN, id="3", meta={"country": "germany"}),
            Document(content=ROME, id="4", meta={"country": "italy"}),
        ]
    )
    store.write_documents([Document(content=ROME, id="5")], index="other")
    return store


def test_by_id(filled: Any, stored: Any) -> None:
    filled.delete_documents(ids=["1", "3", "no such id"])
    assert stored(filled, *ALL) == [PARIS, ROME]
    filled.delete_documents(ids=["2"])
    assert stored(filled, *ALL) == [ROME]


def test_by_filter(filled: Any, stored: Any) -> None:
    filled.delete_documents(filters={"country": ["germany", "italy"]})
    assert stored(filled, *ALL) == [PARIS, ROME]


def test_by_id_and_filter(filled: Any, stored: Any) -> None:
    filled.delete_documents(ids=["1", "3", "4"], filters={"country": ["germany"]})
    assert filled.get_document_count() == 3
    assert stored(filled, *ALL) == [PARIS, ROME]


def test_all_of_an_index_while_another_has_documents(filled: Any, stored: Any) -> None:
    filled.delete_documents()
    assert filled.get_document_count() == 0
    assert stored(filled, *ALL) == [ROME]
    filled.delete_documents(index="other")
    assert stored(filled, *ALL) == []


def test_an_index(filled: Any, stored: Any) -> None:
    filled.delete_index("other")
    assert stored(filled, *ALL) == [PARIS, BERLIN, ROME]
    filled.delete_index("no such index")
    filled.delete_index(filled.index)
    assert stored(filled, *ALL) == []


def test_the_deprecated_way(filled: Any, stored: Any) -> None:
    filled.delete_all_documents(filters={"country": ["germany"]})
    assert stored(filled, *ALL) == [PARIS, ROME]


def test_one_id_in_two_indexes(store: Any, stored: Any) -> None:
    # by default an id is a digest of the text, so that this is what happens to a text in two indexes
    for index in ("one", "two"):
        store.write_documents([Document(content=PARIS), Document(content=BERLIN)], index=index)
    store.delete_index("two")
    assert store.get_document_count(index="one") == 2
    assert stored(store, *ALL) == [PARIS, BERLIN]
    store.delete_documents(index="one", ids=[Document(content=PARIS).id])
    assert stored(store, *ALL) == [BERLIN]


def test_one_id_with_two_texts(store: Any, stored: Any) -> None:
    store.write_documents([Document(content=PARIS, id="1")], index="one")
    store.write_documents([Document(content=BERLIN, id="1")], index="two")
    assert stored(store, *ALL) == [PARIS, BERLIN]
    store.write_documents([Document(content=ROME, id="1")], index="two")
    assert stored(store, *ALL) == [PARIS, ROME]


def test_a_delete_that_fails_removes_no_states(filled: Any, stored: Any, monkeypatch: Any) -> None:
    def fail(*_: Any, **__: Any) -> None:
        msg = "locked"
        raise OSError(msg)

    for parent in (SteadyVectors, InMemoryDocumentStore):
        monkeypatch.setattr(parent, "delete_documents", fail)
    for arguments in ({"ids": ["3"]}, {}):
        with pytest.raises(OSError, match="locked"):
            filled.delete_documents(**arguments)
    assert stored(filled, *ALL) == [PARIS, BERLIN, ROME]


def test_documents_go_before_states(filled: Any, monkeypatch: Any) -> None:
    def fail(*_: Any) -> None:
        msg = "killed"
        raise RuntimeError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(filled.representations, "delete", fail)
        with pytest.raises(RuntimeError, match="killed"):
            filled.delete_documents(ids=["3"])
    assert filled.get_document_count() == 3
    assert filled.prune_representations() == 1


def test_a_small_delete_reads_little(filled: Any, monkeypatch: Any) -> None:
    filled.write_documents([Document(content=f"{PARIS} {number}") for number in range(50)])
    hashed: list[str] = []
    key = filled.representations.key
    monkeypatch.setattr(filled.representations, "key", lambda text: hashed.append(text) or key(text))
    filled.delete_documents(ids=["1"])
    assert set(hashed) == {PARIS}


def test_who_refers_to_states_is_asked_once(filled: Any, stored: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(keeping, "IDS_AT_ONCE", 1)
    asked: list[int] = []
    referring = filled._access.referring
    monkeypatch.setattr(filled._access, "referring", lambda keys: asked.append(len(keys)) or referring(keys))
    filled.delete_documents(ids=["1", "2", "3", "4"])
    assert asked == [3]
    assert stored(filled, *ALL) == [ROME]


def test_deleting_by_filter_reads_each_text_once(make_faiss: Any, monkeypatch: Any) -> None:
    store = make_faiss()
    store.write_documents([Document(content=text, meta={"kind": text == ROME}) for text in ALL])
    read: list[Any] = []
    monkeypatch.setattr(sql, "text_of", lambda content, kind: read.append(content) or text_of(content, kind))
    store.delete_documents(filters={"kind": False})
    assert sorted(read) == [BERLIN, PARIS]
    assert [found.content for found in store.get_all_documents()] == [ROME]


def test_no_text_is_held_while_documents_go(filled: Any, stored: Any) -> None:
    with filled._keeper.deleting(filled.index, None, {"country": ["germany", "italy"]}):
        gc.collect()
        held = [found for found in gc.get_objects() if type(found) is StoredDocument]
    assert held == []
    # none was deleted
    assert stored(filled, *ALL) == [PARIS, BERLIN, ROME]


def test_deleting_what_has_no_text_by_filter_loads_no_model(store: Any) -> None:
    table = Document(content=pd.DataFrame({"a": [1]}), content_type="table", id="1", meta={"name": "x"})
    store.write_documents([table])
    store.delete_documents(filters={"name": ["x"]})
    assert store.get_document_count() == 0
    assert store._states._encoder is None


def test_prune_keeps_what_documents_have(filled: Any, stored: Any) -> None:
    assert filled.prune_representations() == 0
    [made] = filled.encoder.encode(["nobody's"])
    filled.representations.put({filled.representations.key("nobody's"): made})
    assert filled.prune_representations() == 1
    assert stored(filled, *ALL) == [PARIS, BERLIN, ROME]


def test_describe(filled: Any) -> None:
    said = filled.describe_representations()
    assert said["count"] == 3
    assert said["bytes"] > 3 * said["bytes_per_passage"] * 0.9
    assert (said["model"], said["codec"]) == (filled.deformer_model, "SQfp16")
    assert said["details"]["lower_layers"] == filled.lower_layers == 2


def test_deleting_from_nothing_loads_no_model(store: Any) -> None:
    store.delete_documents()
    store.delete_documents(ids=["1"])
    store.delete_index("other")
    assert store._states._encoder is None


def test_one_id_is_no_list(filled: Any) -> None:
    before = filled.get_document_count()
    with pytest.raises(ValueError, match=r"ids must be a list, got '12': give \['12'\]"):
        filled.delete_documents(ids="12")
    assert filled.get_document_count() == before


def test_an_empty_list_of_ids_deletes_nothing(filled: Any, stored: Any) -> None:
    documents = filled.get_document_count()
    filled.delete_documents(ids=[])
    filled.delete_documents(ids=[], filters={"country": ["germany"]})
    assert filled.get_document_count() == documents
    assert stored(filled, *ALL) == list(ALL)


def test_ids_that_can_be_read_once(filled: Any) -> None:
    identifier, *others = (document.id for document in filled.get_all_documents())
    filled.delete_documents(ids=(each for each in [identifier]))
    assert {document.id for document in filled.get_all_documents()} == set(others)


@pytest.mark.parametrize("error", [StoreFullError("no room"), StoreReadOnlyError("opened with read_only")])
def test_what_is_done_is_no_error_where_states_cannot_go(
    filled: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(*_: Any) -> int:
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(filled.representations, "delete", fail)
        filled.write_documents([Document(content=PARIS, id="3")])
        filled.delete_documents(ids=["1", "2", "3"])
    assert caplog.text.count("stay until prune_representations() is called") == 2
    assert {document.id for document in filled.get_all_documents()} == {"4"}
    assert filled.prune_representations() == 2
