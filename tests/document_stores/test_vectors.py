"""Vectors stay with their documents, whatever is deleted and overwritten."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from haystack.schema import Answer, Document, Label
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.document_stores.embedded import DIMENSION, Retriever, assert_found, document, nearest, vector
from tests.document_stores.test_threads import together


def label() -> Label:
    document = Document(content="paris", id="1")
    return Label(
        query="which",
        document=document,
        answer=Answer(answer="paris"),
        is_correct_answer=True,
        is_correct_document=True,
        origin="gold-label",
    )


def test_random_changes(faiss_store: Any) -> None:
    rng = random.Random(1)
    for step in range(40):
        number = rng.randrange(12)
        match rng.randrange(5):
            case 0 | 1:
                faiss_store.write_documents([document(n) for n in {number, rng.randrange(12), rng.randrange(12)}])
            case 2:
                faiss_store.write_documents([document(100 + step, str(number))])
            case 3:
                faiss_store.delete_documents(ids=[str(number), str(rng.randrange(12))])
            case 4:
                faiss_store.delete_documents(filters={"number": {"$lt": 3}} if step % 2 else {"parity": 1})
        assert_found(faiss_store)


def test_deleting_by_all_forms_of_filters(make_faiss: Any) -> None:
    for filters, left in (
        ({"parity": 1}, {"0", "2", "4"}),
        ({"parity": [1]}, {"0", "2", "4"}),
        ({"$or": {"number": {"$eq": 0}, "parity": {"$eq": 1}}}, {"2", "4"}),
        ({"number": {"$ne": 3}}, {"3"}),
        ({"number": 99}, {"0", "1", "2", "3", "4", "5"}),
    ):
        store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
        store.write_documents([document(number) for number in range(6)])
        store.delete_documents(filters=filters)
        assert {found.id for found in store.get_all_documents()} == left
        assert_found(store)
        store.delete_documents()
        assert store.get_embedding_count() == 0


def test_ids_and_filters_together(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    store.write_documents([document(number) for number in range(6)])
    store.delete_documents(ids=["1", "2"], filters={"parity": 1})
    assert {found.id for found in store.get_all_documents()} == {"0", "2", "3", "4", "5"}
    store.delete_documents(ids=["2"], filters={"parity": 1})
    assert store.get_document_count() == 5
    assert_found(store)


def test_indexes_are_apart(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    for index in ("document", "other"):
        store.write_documents([document(number) for number in range(4)], index=index)
    store.delete_documents(index="other", ids=["0", "1"])
    assert store.get_document_count() == 4
    assert_found(store)
    assert store.get_embedding_count(index="other") == store.get_document_count(index="other") == 2


def test_a_document_does_not_inherit_the_meta_of_a_deleted_one(make_faiss: Any) -> None:
    for arguments in ({"ids": ["1"]}, {}):
        store = make_faiss(embedding_dim=DIMENSION)
        store.write_documents([Document(content="paris", id="1", meta={"secret": 1})])
        store.delete_documents(**arguments)
        store.write_documents([Document(content="berlin", id="1")], duplicate_documents="skip")
        assert store.get_document_by_id("1").meta == {}


def test_a_document_does_not_inherit_the_meta_of_a_deleted_index(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION)
    store.write_documents([Document(content="paris", id="1", meta={"secret": 1})], index="other")
    store.delete_index("other")
    store.write_documents([Document(content="berlin", id="1")], index="other", duplicate_documents="skip")
    assert store.get_document_by_id("1", index="other").meta == {}
    assert store.get_document_count(index="other", filters={"secret": [1]}) == 0


@pytest.mark.parametrize("as_dicts", [False, True])
def test_one_id_twice_in_one_write(make_faiss: Any, as_dicts: bool) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    written = [document(0, "a"), document(1, "a"), document(2, "b"), document(0, "a")]
    store.write_documents([found.to_dict() for found in written] if as_dicts else written)
    assert {found.content for found in store.get_all_documents()} == {"paris 0", "paris 2"}
    assert_found(store)
    store.delete_documents(ids=["a"])
    assert_found(store)


@pytest.mark.parametrize("mode", ["overwrite", "skip", "fail"])
def test_some_with_vectors_and_some_without(make_faiss: Any, mode: str) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2", duplicate_documents=mode)
    store.write_documents([document(number, embedded=number != 1) for number in range(4)])
    assert store.get_document_count() == 4
    assert_found(store)
    assert [nearest(store, number, 1) for number in (0, 2, 3)] == [["paris 0"], ["paris 2"], ["paris 3"]]
    store.update_embeddings(Retriever(), update_existing_embeddings=False)
    assert_found(store)
    assert store.get_embedding_count() == 4


@pytest.mark.parametrize("mode", ["skip", "fail"])
def test_the_first_of_one_id_is_kept(make_faiss: Any, stored: Any, mode: str) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2", duplicate_documents=mode)
    store.write_documents([document(1, "a", embedded=False), document(2, "a"), document(3, "b")])
    assert {found.id: found.content for found in store.get_all_documents()} == {"a": "paris 1", "b": "paris 3"}
    assert stored(store, "paris 1", "paris 3") == ["paris 1", "paris 3"]
    assert_found(store)


@pytest.mark.parametrize("by_default", [True, False])
def test_another_text_under_an_id_has_not_the_vector_of_the_first(make_faiss: Any, by_default: bool) -> None:
    """In memory and in search engines it has none either, until it is embedded."""
    mode = "overwrite" if by_default else "skip"
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2", duplicate_documents=mode)
    store.write_documents([document(number) for number in range(4)])
    again = [document(1, embedded=False), document(12, "2", embedded=False)]
    store.write_documents(again, duplicate_documents="overwrite")
    assert store.get_embedding_count() == 3
    assert_found(store)
    retriever = Retriever()
    store.update_embeddings(retriever, update_existing_embeddings=False)
    assert retriever.given[-1] == ["2"]
    assert store.get_embedding_count() == 4
    assert nearest(store, 12, 1) == ["paris 12"]
    assert_found(store)


def test_vectors_are_read_while_others_are_removed(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2", return_embedding=True)
    store.write_documents([document(number) for number in range(60)])

    def delete() -> None:
        for number in range(50):
            store.delete_documents(ids=[str(number)])

    def read() -> None:
        for _ in range(20):
            for found in [*store.get_all_documents(), *store.get_documents_by_id(["58", "59"])]:
                assert np.array_equal(found.embedding, vector(int(found.content.split()[1])))

    together(delete, read, read)
    assert_found(store)


def test_a_write_that_fails_leaves_the_store_usable(make_faiss: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_faiss(embedding_dim=DIMENSION)

    def fail() -> None:
        store.session.execute(text("SELECT * FROM no_such_table"))

    monkeypatch.setattr(store.session.registry(), "commit", fail)
    with pytest.raises(OperationalError):
        store.write_labels([label()])
    monkeypatch.undo()
    assert store.get_label_count() == 0
    store.write_labels([label()])
    assert store.get_label_count() == 1


def test_a_thread_waits_for_another_that_writes(make_faiss: Any) -> None:
    """For longer than the five seconds after which SQLite gives up by itself."""
    store = make_faiss(embedding_dim=DIMENSION)
    assert store.session.execute(text("PRAGMA busy_timeout")).scalar() >= 60_000


def test_without_vectors(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    store.write_documents([document(number, embedded=number > 1) for number in range(2)])
    store.write_documents([document(number) for number in range(2, 4)])
    store.delete_documents(ids=["0", "2"])
    assert_found(store)


def test_a_store_that_was_opened_without_its_vectors(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    store.write_documents([document(number) for number in range(4)])
    reopened = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    reopened.delete_documents(ids=["1"])
    assert reopened.get_document_count() == 3
    reopened.update_embeddings(Retriever())
    assert_found(reopened)


def test_documents_of_another_store_get_vectors_of_their_own(make_faiss: Any, tmp_path: Path) -> None:
    old = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    old.write_documents([document(number) for number in range(4)])
    read = old.get_all_documents()
    new = make_faiss(embedding_dim=DIMENSION, similarity="l2", sql_url=f"sqlite:///{tmp_path}/new.db")
    new.write_documents([document(number) for number in range(4, 6)])
    new.write_documents(read)
    assert [found.meta["vector_id"] for found in read] == ["0", "1", "2", "3"]
    assert "vector_id" not in new.get_document_by_id("0").meta
    new.update_embeddings(Retriever(), update_existing_embeddings=False)
    assert new.get_embedding_count() == 6
    assert_found(new)


@pytest.mark.parametrize("mode", ["overwrite", "skip"])
def test_documents_that_are_written_back_keep_their_vectors(make_faiss: Any, mode: str) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2", duplicate_documents=mode)
    store.write_documents([document(number) for number in range(4)])
    found = store.get_documents_by_id(["1", "2"])
    found[0].meta.update(name="x", vector_id="3")
    store.write_documents(found, duplicate_documents="overwrite")
    assert [changed.id for changed in store.get_all_documents(filters={"name": "x"})] == [found[0].id]
    assert store.get_embedding_count() == 4
    assert_found(store)


def test_a_vector_id_that_is_none(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    store.write_documents([Document(content="paris 0", id="0", meta={"vector_id": "abc"}), document(1, embedded=False)])
    assert store.get_document_by_id("0").meta == {}
    # as a plain store would have written it
    store.update_vector_ids({"1": "abc"})
    store.write_documents([document(0), document(1)])
    assert_found(store)
    store.update_vector_ids({"1": "abc"})
    store.delete_documents(ids=["1"])
    assert store.get_document_count() == 1


def test_the_dimension_is_checked_on_one_document(make_faiss: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        msg = "all documents were asked for"
        raise AssertionError(msg)

    class OtherRetriever(Retriever):
        dimension = 4

    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    store.write_documents([document(number, embedded=False) for number in range(5)])
    monkeypatch.setattr(store, "get_all_documents", fail)
    with pytest.raises(RuntimeError, match=r"Embedding dimensions of the model \(4\) don't match"):
        store.update_embeddings(OtherRetriever())
    retriever = Retriever()
    store.update_embeddings(retriever)
    monkeypatch.undo()
    assert retriever.given == [["0"], ["0", "1", "2", "3", "4"]]
    assert_found(store)


@pytest.mark.parametrize("kind", ["faiss", "memory"])
def test_queries_while_documents_come_and_go(kind: str, make_faiss: Any, make_memory: Any) -> None:
    parameters = {"embedding_dim": DIMENSION}
    store = make_faiss(similarity="l2", **parameters) if kind == "faiss" else make_memory(use_bm25=True, **parameters)
    store.write_documents([document(number) for number in range(4)])

    def change(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(15):
            number = rng.randrange(4, 12)
            if rng.random() < 0.6:
                store.write_documents([document(number)])
            else:
                store.delete_documents(ids=[str(number)])

    def ask() -> None:
        for turn in range(40):
            found = nearest(store, turn % 4)
            if kind == "faiss":
                assert found[0] == f"paris {turn % 4}"
            else:
                assert store.query("paris 1")

    together(lambda: change(1), lambda: change(2), ask, ask)
    if kind == "faiss":
        assert_found(store)
