"""The hook over a search engine: indexes that are not there, labels, headers, and what other processes wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from haystack.errors import DuplicateDocumentError
from haystack.schema import Answer, Document, Label

from haystack_deformer.document_stores.reference import REPRESENTATION_META_KEY
from tests.document_stores.fake_search_engine import DeFormerSearchEngineDocumentStore, EngineError, FakeEngine

PARIS, BERLIN, ROME = "paris is in france", "berlin is in germany", "a river in the city"
TOKEN = {"Authorization": "Bearer x"}


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def make(engine: FakeEngine, tiny_deformer: Path, tmp_path: Path) -> Any:
    """A factory of stores over one engine and one folder of states: each is what a process would have."""

    def make(**parameters: Any) -> DeFormerSearchEngineDocumentStore:
        path = str(tmp_path / "states")
        return DeFormerSearchEngineDocumentStore(
            engine, deformer_model=str(tiny_deformer), representation_path=path, **parameters
        )

    return make


@pytest.fixture
def store(make: Any) -> Any:
    return make()


def label() -> Label:
    return Label(
        query="where is paris",
        document=Document(content=PARIS),
        answer=Answer(answer="france"),
        is_correct_answer=True,
        is_correct_document=True,
        origin="gold-label",
    )


@pytest.mark.parametrize("mode", ["overwrite", "skip", "fail"])
def test_writing_makes_the_index(store: Any, stored: Any, mode: str) -> None:
    store.write_documents([Document(content=PARIS, id="1")], index="new", duplicate_documents=mode)
    assert [d.content for d in store.get_all_documents(index="new")] == [PARIS]
    assert [d.meta for d in store.get_documents_by_id(["1"], index="new")] == [{}]
    assert stored(store, PARIS) == [PARIS]
    if mode == "fail":
        with pytest.raises(DuplicateDocumentError):
            store.write_documents([Document(content=BERLIN, id="1")], index="new", duplicate_documents=mode)


def test_the_default_index_made_late(make: Any, engine: FakeEngine, stored: Any) -> None:
    store = make()
    store.delete_index("document")
    store.write_documents([Document(content=PARIS)])
    assert store.get_document_count() == 1
    assert stored(store, PARIS) == [PARIS]


def test_evaluation_data(store: Any, tmp_path: Path, stored: Any) -> None:
    question = {"id": "q", "question": "where is paris", "answers": [{"text": "france", "answer_start": 12}]}
    data = {"data": [{"title": "x", "paragraphs": [{"context": PARIS, "qas": [{**question, "is_impossible": False}]}]}]}
    path = tmp_path / "eval.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    store.add_eval_data(str(path), doc_index="eval_document", label_index="label")
    assert store.get_document_count(index="eval_document") == 1
    assert stored(store, PARIS) == [PARIS]


def test_what_is_not_there_is_passed_over(store: Any, computed: list[str]) -> None:
    store.delete_documents(index="nowhere")
    store.delete_documents(index="nowhere", ids=["1"])
    store.delete_documents(index="nowhere", filters={"a": "b"})
    store.delete_index("nowhere")
    assert store.update_representations(index="nowhere") == 0
    assert computed == []


def test_an_index_that_is_gone_is_forgotten(store: Any, stored: Any) -> None:
    store.write_documents([Document(content=PARIS, id="1")], index="x")
    store.write_documents([Document(content=BERLIN, id="2"), Document(content=ROME, id="3")])
    store.delete_index("x")
    assert stored(store, PARIS, BERLIN, ROME) == [BERLIN, ROME]
    store.delete_documents(ids=["2"])
    store.write_documents([Document(content=PARIS, id="3")])
    assert stored(store, PARIS, BERLIN, ROME) == [PARIS]
    assert store.prune_representations() == 0


def test_an_index_that_another_process_deleted(make: Any, stored: Any) -> None:
    one, other = make(), make()
    one.write_documents([Document(content=PARIS, id="1")], index="x")
    one.write_documents([Document(content=BERLIN, id="2")])
    other.delete_index("x")
    one.delete_documents(ids=["2"])
    assert stored(one, PARIS, BERLIN) == []


def test_labels_are_no_documents(store: Any, engine: FakeEngine, stored: Any) -> None:
    store.write_documents([Document(content=PARIS, id="1")])
    for index in (None, "other_labels"):
        store.write_labels([label()], index=index)
        assert store.get_label_count(index=index) == 1
        engine.requests.clear()
        store.delete_labels(index=index)
        assert store.get_label_count(index=index) == 0
        assert ("scan", "label") not in engine.requests
    assert stored(store, PARIS) == [PARIS]


def test_documents_without_content(store: Any, stored: Any) -> None:
    nothing = Document(content="x", id="1")
    nothing.content = None  # type: ignore[assignment]
    store.write_documents([nothing])
    store.write_documents([Document(content=PARIS, id="1")])
    assert stored(store, PARIS) == [PARIS]


def test_headers_go_with_all_that_is_asked(store: Any, engine: FakeEngine, stored: Any) -> None:
    engine.token = TOKEN["Authorization"]
    with pytest.raises(EngineError, match="401"):
        store.write_documents([Document(content=PARIS, id="1")])
    for mode in ("overwrite", "skip"):
        store.write_documents([Document(content=PARIS, id="1")], duplicate_documents=mode, headers=TOKEN)
    store.write_documents([Document(content=BERLIN, id="2")], index="new", headers=TOKEN)
    store.update_document_meta("1", {"name": "x"}, headers=TOKEN)
    assert store.get_document_by_id("1", headers=TOKEN).meta == {"name": "x"}
    store.representations.prune(set())
    assert store.update_representations(headers=TOKEN) == 1
    assert store.update_representations(index="new", headers=TOKEN) == 1
    assert store.prune_representations(headers=TOKEN) == 0
    store.write_documents([Document(content=ROME, id="1")], headers=TOKEN)
    assert stored(store, PARIS, BERLIN, ROME) == [BERLIN, ROME]
    store.delete_documents(ids=["1"], headers=TOKEN)
    store.delete_documents(index="new", headers=TOKEN)
    assert stored(store, PARIS, BERLIN, ROME) == []
    with pytest.raises(EngineError, match="401"):
        store.delete_documents()  # no header of an earlier call is left


def test_references_are_written_many_at_once(make: Any, engine: FakeEngine) -> None:
    plain = [Document(content=f"{PARIS} {number}", id=str(number)) for number in range(30)]
    store = make()
    super(DeFormerSearchEngineDocumentStore.__mro__[1], store).write_documents(plain)
    engine.requests.clear()
    assert store.update_representations(batch_size=10) == 30
    assert [what for what, _ in engine.requests].count("bulk") == 3
    assert [what for what, _ in engine.requests].count("update") == 0
    found = {document.id: document.reference for document in store._access.documents("document")}
    assert found == {d.id: store.representations.key(d.content).hex() for d in plain}


def test_a_document_that_another_process_deletes_meanwhile(make: Any, engine: FakeEngine) -> None:
    store = make()
    store.write_documents([Document(content=text, id=text) for text in (PARIS, BERLIN, ROME)])
    del engine.held["document"].documents[BERLIN]
    store._access.set_references("document", {PARIS: "0" * 32, BERLIN: "1" * 32, ROME: "2" * 32})
    held = engine.held["document"].documents
    assert {identifier: source[REPRESENTATION_META_KEY] for identifier, source in held.items()} == {
        PARIS: "0" * 32,
        ROME: "2" * 32,
    }


@pytest.mark.parametrize("refresh_type", ["wait_for", "false", "true"])
def test_what_was_just_written_and_deleted_counts(make: Any, stored: Any, refresh_type: str) -> None:
    store = make(refresh_type=refresh_type)
    store.write_documents([Document(content=PARIS, id="1")])
    store.write_documents([Document(content=PARIS, id="2"), Document(content=BERLIN, id="3")])
    store.delete_documents(ids=["1"])
    assert stored(store, PARIS, BERLIN) == [PARIS, BERLIN]
    store.delete_documents(ids=["3"])
    assert stored(store, PARIS, BERLIN) == [PARIS]
    store.write_documents([Document(content=ROME, id="2")])
    assert stored(store, PARIS, BERLIN, ROME) == [ROME]
    store.write_documents([Document(content=BERLIN, id="4")], index="other")
    store.delete_documents()
    assert stored(store, PARIS, BERLIN, ROME) == [BERLIN]


def test_indexes_of_earlier_processes_are_known(make: Any, engine: FakeEngine, stored: Any) -> None:
    first = make()
    first.write_documents([Document(content=PARIS, id="1"), Document(content=BERLIN, id="2")], index="archive")
    first.write_documents([Document(content=PARIS, id="3")])
    first.write_labels([label()])
    del first
    store = make()
    assert store.prune_representations() == 0
    store.delete_documents()
    assert stored(store, PARIS, BERLIN) == [PARIS, BERLIN]
    store.delete_index("archive")
    assert stored(store, PARIS, BERLIN) == []


def test_where_indexes_may_not_be_listed_they_are_named(make: Any, engine: FakeEngine, stored: Any) -> None:
    make().write_documents([Document(content=PARIS, id="1")], index="archive")
    engine.may_list = False
    store = make()
    store.write_documents([Document(content=BERLIN, id="2"), Document(content=ROME, id="3")])
    store.delete_documents(ids=["2"])
    assert stored(store, PARIS, BERLIN, ROME) == [PARIS, ROME]
    with pytest.raises(ValueError, match=r"prune_representations\(indexes=\['document'\]\)"):
        store.prune_representations()
    with pytest.raises(ValueError, match="There is no index 'achive'"):
        store.prune_representations(indexes=["achive"])
    assert store.prune_representations(indexes=["archive"]) == 0
    assert store.prune_representations(indexes="archive") == 0
    store.delete_documents()  # not all that there is, as far as it may know
    assert stored(store, PARIS, BERLIN, ROME) == [PARIS]
    assert store.prune_representations(indexes=["document"]) == 1


def test_the_engine_lists_its_indexes_once(store: Any, engine: FakeEngine, stored: Any) -> None:
    store.write_documents([Document(content=PARIS, id="1")])
    for task in (store.prune_representations, store.delete_documents):
        engine.requests.clear()
        task()
        assert engine.requests.count(("get", "*")) == 1
    assert stored(store, PARIS) == []


def test_other_errors_of_the_engine_are_its_own(store: Any, engine: FakeEngine) -> None:
    engine.token = "y"
    with pytest.raises(EngineError, match="401"):
        store.prune_representations()
