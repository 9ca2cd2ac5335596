"""Feedback comes while questions are asked, neither waits for the other; deletes take what is meant and no more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from haystack.document_stores import BaseDocumentStore
from haystack.schema import Answer, Document, Label

from haystack_deformer.document_stores.repairs import narrow_labels


def label(identifier: str) -> Label:
    return Label(
        id=identifier,
        query="which",
        document=Document(content="paris", id="1"),
        answer=Answer(answer="paris"),
        is_correct_answer=True,
        is_correct_document=True,
        origin="user-feedback",
    )


def gold(identifier: str) -> Label:
    made = label(identifier)
    made.origin = "gold-label"
    return made


def finishes(task: Callable[[], Any]) -> bool:
    thread = threading.Thread(target=task, daemon=True)
    thread.start()
    thread.join(20)
    return not thread.is_alive()


def test_labels_do_not_wait_for_questions(store: Any) -> None:
    with store.guard:
        assert finishes(lambda: store.write_labels([label("a")]))
        assert finishes(store.delete_labels)
        assert finishes(lambda: store.write_labels([label("a"), label("b")]))
    assert store.get_label_count() == 2


def test_questions_do_not_wait_for_labels(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=4)
    store.write_documents([Document(content="paris")])
    with store.label_guard:
        assert finishes(lambda: store.write_documents([Document(content="berlin")]))
    assert store.get_document_count() == 2


def test_threads_with_one_session_wait_for_each_other(make_faiss: Any) -> None:
    store = make_faiss(sql_url="sqlite://")
    assert store.label_guard is store.guard
    store = make_faiss()
    assert store.label_guard is not store.guard


def test_duplicates_are_those_that_the_parent_finds(make_faiss: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrow_labels, "IDS_AT_ONCE", 2)
    store = make_faiss()
    store.write_labels([label("a"), label("b")])
    store.write_labels([label("c")], index="other")
    given = [label(identifier) for identifier in "acddeb"]
    for index, expected in ((None, "addb"), ("other", "cdd"), ("none", "dd")):
        found = store._get_duplicate_labels(given, index=index)
        assert [one.id for one in found] == list(expected)
        parents = BaseDocumentStore._get_duplicate_labels(store, given, index=index)
        assert [one.id for one in parents] == list(expected)


def test_writing_labels_reads_no_others(make_faiss: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        msg = "all labels were asked for"
        raise AssertionError(msg)

    store = make_faiss()
    store.write_labels([label("a")])
    monkeypatch.setattr(store, "get_all_labels", fail)
    store.write_labels([label("a"), label("b")])
    assert store.get_label_count() == 2


def test_are_deleted_from_one_index_alone(store: Any) -> None:
    for index in ("label", "other"):
        store.write_labels([label("a"), label("b")], index=index)
    store.delete_labels(ids=["a"])
    assert (store.get_label_count(), store.get_label_count(index="other")) == (1, 2)
    store.delete_labels(index="other", ids=["b", "nobody"])
    assert [left.id for left in store.get_all_labels(index="other")] == ["a"]
    store.delete_labels()
    assert (store.get_label_count(), store.get_label_count(index="other")) == (0, 1)


def test_no_ids_are_not_all(store: Any) -> None:
    store.write_labels([label("a")])
    store.delete_labels(ids=[])
    with pytest.raises(ValueError, match="ids must be a list, got 'a'"):
        store.delete_labels(ids="a")
    assert store.get_label_count() == 1


def test_deleted_by_filters_in_sql(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_labels([label("a"), label("b")])
    store.write_labels([label("a")], index="other")
    with pytest.raises(ValueError, match=r"lists of values of id, .* not by name="):
        store.delete_labels(filters={"name": ["x"]})
    store.delete_labels(filters={"query": ["other"]})
    assert store.get_label_count() == 2
    store.delete_labels(filters={"query": ["which"], "id": ["a"]})
    assert (store.get_label_count(), store.get_label_count(index="other")) == (1, 1)


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({"origin": ["user-feedback"]}, "a"),
        ({"origin": "gold-label"}, "bc"),
        ({"origin": "gold-label", "id": ["a", "b"]}, "b"),
        ({"query": "who"}, ""),
        ({}, "abc"),
    ],
)
def test_are_read_and_deleted_by_filters(store: Any, filters: Any, left: str) -> None:
    for index in ("label", "other"):
        store.write_labels([label("a"), gold("b"), gold("c")], index=index)
    assert [found.id for found in store.get_all_labels(filters=filters)] == list(left)
    store.delete_labels(filters=filters)
    assert {found.id for found in store.get_all_labels()} == set("abc") - set(left)
    assert store.get_label_count(index="other") == 3


def test_filters_that_are_of_no_column_in_sql(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_labels([label("a")])
    for filters in ({"name": "x"}, {"id": {"$in": ["a"]}}):
        for act in (store.get_all_labels, store.delete_labels):
            with pytest.raises(ValueError, match=r"values or lists of values of id, .* not by (name='x'|id={'\$in)"):
                act(filters=filters)
    assert store.get_label_count() == 1


def test_labels_are_deleted_with_their_index(make_memory: Any) -> None:
    """As Haystack's tutorials clean up: `delete_documents` of an index, whatever is in it."""
    store = make_memory(use_bm25=True)
    store.write_documents([Document(content="paris")])
    for index in ("label", "feedback"):
        store.write_labels([label("a"), label("b"), gold("c")], index=index)
        store.delete_documents(index=index, ids=["a"])
        store.delete_documents(index=index, filters={"origin": "gold-label"})
        assert [left.id for left in store.get_all_labels(index=index)] == ["b"]
        store.delete_documents(index=index)
        assert store.get_label_count(index=index) == 0
    assert (store.get_document_count(), store.describe_representations()["count"]) == (1, 1)
