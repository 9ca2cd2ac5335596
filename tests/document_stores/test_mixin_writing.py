"""Writing: states before documents, for texts of every kind; see test_mixin_duplicates.py for ids that are there."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from haystack.document_stores import FAISSDocumentStore, InMemoryDocumentStore
from haystack.schema import Document

from haystack_deformer.document_stores import REPRESENTATION_META_KEY
from haystack_deformer.document_stores.reference import references_shown

PARIS, BERLIN, ROME = "paris is in france", "berlin is in germany", "a river in the city"


def reference_of(store: Any, identifier: str, index: str | None = None) -> str | None:
    with references_shown():
        return store.get_document_by_id(identifier, index=index).meta.get(REPRESENTATION_META_KEY)


def test_states_are_stored_and_equal_what_the_model_makes(store: Any) -> None:
    store.write_documents([Document(content=PARIS, id="1"), Document(content=BERLIN, id="2")])
    representations = store.representations
    found = representations.get([representations.key(PARIS), representations.key(BERLIN)])
    for stored, made in zip(found, store.encoder.encode([PARIS, BERLIN]), strict=True):
        np.testing.assert_allclose(stored.states, made.states, atol=1e-2)
        assert stored.offsets.tolist() == made.offsets.tolist()


def test_the_reference_is_in_the_store_and_not_in_what_it_hands_out(store: Any) -> None:
    document = Document(content=PARIS, id="1", meta={"name": "x"})
    store.write_documents([document])
    key = store.representations.key(PARIS).hex()
    assert reference_of(store, "1") == key
    assert store.get_document_by_id("1").meta == {"name": "x"}
    assert [d.meta for d in store.get_all_documents()] == [{"name": "x"}]
    assert [d.meta for d in store.get_all_documents_generator()] == [{"name": "x"}]
    assert [d.id for d in store.get_all_documents(filters={REPRESENTATION_META_KEY: [key]})] == ["1"]


def test_the_callers_documents_stay_as_they_are(store: Any) -> None:
    given: list[Any] = [
        Document(content=PARIS, meta={"name": "x", "vector_id": "7"}),
        {"content": BERLIN, "meta": {"name": "y"}, "color": "red"},
    ]
    before = copy.deepcopy(given)
    store.write_documents(given[:1])
    store.write_documents(given[1:])
    assert given == before
    assert store.get_all_documents(filters={"color": ["red"]})[0].content == BERLIN


def test_a_reference_of_another_store_does_not_survive(store: Any) -> None:
    store.write_documents(
        [
            Document(content=PARIS, id="1", meta={REPRESENTATION_META_KEY: "f" * 32}),
            Document(content=" ", id="2", meta={REPRESENTATION_META_KEY: "f" * 32}),
        ]
    )
    assert reference_of(store, "1") == store.representations.key(PARIS).hex()
    assert reference_of(store, "2") is None


def test_equal_texts_are_computed_once_and_present_ones_never(store: Any, computed: list[str]) -> None:
    store.write_documents([Document(content=PARIS, id="1"), Document(content=PARIS, id="2")])
    assert computed == [PARIS]
    store.write_documents([Document(content=PARIS, id="3"), Document(content=BERLIN, id="4")])
    assert computed == [PARIS, BERLIN]


def test_overwrite_with_new_text_takes_the_old_states_away(store: Any, stored: Any) -> None:
    store.write_documents([Document(content=PARIS, id="1", meta={"a": "b"}), Document(content=BERLIN, id="2")])
    store.write_documents([Document(content=ROME, id="1")])
    assert stored(store, PARIS, BERLIN, ROME) == [BERLIN, ROME]
    assert reference_of(store, "1") == store.representations.key(ROME).hex()


def test_overwrite_keeps_states_that_another_document_has(store: Any, stored: Any) -> None:
    store.write_documents([Document(content=PARIS, id="1"), Document(content=PARIS, id="2")])
    store.write_documents([Document(content=ROME, id="1")])
    assert stored(store, PARIS, ROME) == [PARIS, ROME]


def test_overwrite_with_what_is_no_text(store: Any, stored: Any) -> None:
    table = Document(content=pd.DataFrame({"a": [1]}), content_type="table", id="1")
    store.write_documents([Document(content=PARIS, id="1")])
    store.write_documents([table])
    assert stored(store, PARIS) == []
    store.write_documents([Document(content=PARIS, id="1")])
    assert stored(store, PARIS) == [PARIS]


def test_of_one_id_twice_in_a_call_only_what_was_written_keeps_states(store: Any, stored: Any) -> None:
    store.write_documents([Document(content=PARIS, id="1"), Document(content=BERLIN, id="1")])
    [document] = store.get_all_documents()  # the first in memory, the last in SQL
    assert stored(store, PARIS, BERLIN) == [document.content]


def test_an_unknown_mode_is_the_parents_error(store: Any, computed: list[str]) -> None:
    with pytest.raises(AssertionError, match="duplicate_documents parameter must be"):
        store.write_documents([Document(content=PARIS)], duplicate_documents="perhaps")
    assert computed == []


def test_what_is_no_text_passes_through(store: Any, computed: list[str]) -> None:
    nothing = Document(content="x", id="none")
    nothing.content = None  # type: ignore[assignment]
    documents = [
        Document(content=pd.DataFrame({"a": [1, 2]}), content_type="table", id="table"),
        Document(content="picture.png", content_type="image", id="image"),
        Document(content="", id="empty"),
        Document(content=" \n\t\u3000", id="blank"),
        nothing,
    ]
    store.write_documents(documents)
    assert store.get_document_count() == 5
    assert computed == []
    # not through Haystack's methods: a document of None cannot be read from SQL again, by the plain store either
    found = store._access.by_ids([document.id for document in documents])
    assert [document.reference for document in found] == [None] * 5
    assert store.update_representations() == 0
    store.delete_documents()
    assert store.get_document_count() == 0
    assert list(store.representations.keys()) == []


def test_tables_alone_load_no_model(store: Any) -> None:
    store.write_documents([Document(content=pd.DataFrame({"a": [1]}), content_type="table", id="1")])
    store.delete_documents(ids=["1"])
    assert store._states._encoder is None


@pytest.mark.parametrize(
    "text",
    [
        "the city \U0001f3d9\ufe0f of \U0001f468\u200d\U0001f469\u200d\U0001f467 in paris",
        "cafe\u0301 in pari\u0302s",
        "باريس عاصمة فرنسا. paris",
        "פריז היא בירת צרפת",
        "\x00\x01 in paris",
        "🙂",
    ],
)
def test_texts_of_all_scripts(store: Any, text: str, stored: Any) -> None:
    document = Document(content=text, id="1")
    store.write_documents([document])
    assert store.get_document_by_id("1").content == text
    assert stored(store, text) == [text]
    assert store.update_representations() == 0
    store.delete_documents(ids=["1"])
    assert stored(store, text) == []


def test_a_long_text(store: Any) -> None:
    text = "paris is the capital of france " * 6_500
    assert len(text) > 200_000
    store.write_documents([Document(content=text), Document(content=PARIS)])
    [found] = store.representations.get([store.representations.key(text)])
    assert found.n_windows > 1_000
    assert found.offsets.max() == len(text.rstrip())


def test_states_are_stored_as_they_are_made(make_store: Any, computed: list[str], monkeypatch: Any) -> None:
    store = make_store(representation_batch_size=1)  # 8 texts are stored at once
    documents = [Document(content=f"{PARIS} {number}") for number in range(20)]
    put = store.representations.put
    puts: list[int] = []

    def interrupted(representations: Any) -> None:
        if len(puts) == 2:
            raise KeyboardInterrupt
        puts.append(len(representations))
        put(representations)

    with monkeypatch.context() as patch:
        patch.setattr(store.representations, "put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.write_documents(documents)
    assert puts == [8, 8]
    assert store.get_document_count() == 0
    assert store.representations.statistics().count == 16
    computed.clear()
    store.write_documents(documents)
    assert len(computed) == 4
    assert store.get_document_count() == 20


def test_a_write_that_fails_leaves_states_and_no_document(store: Any, stored: Any, monkeypatch: Any) -> None:
    def fail(*_: Any, **__: Any) -> None:
        msg = "the disk is full"
        raise OSError(msg)

    with monkeypatch.context() as patch:
        for parent in (FAISSDocumentStore, InMemoryDocumentStore):
            patch.setattr(parent, "write_documents", fail)
        with pytest.raises(OSError, match="the disk is full"):
            store.write_documents([Document(content=PARIS)])
    assert store.get_document_count() == 0
    assert stored(store, PARIS) == [PARIS]
    assert store.prune_representations() == 1
    assert stored(store, PARIS) == []


def test_states_that_cannot_be_made_leave_no_document(store: Any, monkeypatch: Any) -> None:
    def fail(*_: Any, **__: Any) -> None:
        msg = "out of memory"
        raise RuntimeError(msg)

    monkeypatch.setattr(type(store.encoder), "encode", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        store.write_documents([Document(content=PARIS)])
    assert store.get_document_count() == 0


def test_the_progress_bar_counts_texts_and_can_be_turned_off(make_store: Any, capsys: Any) -> None:
    documents = [Document(content=f"{PARIS} {number}") for number in range(3)]
    make_store(progress_bar=True).write_documents([*documents, Document(content=" ")])
    shown = capsys.readouterr().err
    assert "Computing Representations" in shown
    assert "3/3" in shown
    assert "texts/s" in shown
    quiet = make_store(progress_bar=False)
    quiet.write_documents([Document(content=BERLIN)])
    quiet.update_representations()
    assert "Representations" not in capsys.readouterr().err


def test_run_and_labels_go_the_same_way(store: Any, stored: Any) -> None:
    store.run(documents=[{"content": PARIS}], index="other")
    assert store.get_document_count(index="other") == 1
    assert stored(store, PARIS) == [PARIS]
