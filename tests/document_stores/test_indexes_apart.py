"""One id in two indexes of an SQL store, as any text has that is in both: each has its own meta."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from haystack.document_stores import SQLDocumentStore
from haystack.document_stores.sql import MetaDocumentORM
from haystack.schema import Document
from sqlalchemy import event, text

from haystack_deformer.document_stores import REPRESENTATION_META_KEY
from haystack_deformer.document_stores.repairs import narrow_reads
from haystack_deformer.document_stores.repairs.vector_numbers import contents_of, renumber, vector_numbers
from tests.document_stores.embedded import DIMENSION, document
from tests.document_stores.sql_store import DeFormerSQLDocumentStore

PARIS, ROME = "paris is in france", "a river in the city"


@pytest.fixture(params=["faiss", "sql"])
def sql_store(request: pytest.FixtureRequest, make_faiss: Any, tmp_path: Path, tiny_deformer: Path) -> Any:
    if request.param == "faiss":
        return make_faiss()
    return DeFormerSQLDocumentStore(f"sqlite:///{tmp_path}/x.db", deformer_model=str(tiny_deformer))


def test_writing_leaves_the_meta_of_other_indexes(sql_store: Any) -> None:
    def meta(index: str) -> dict[str, Any]:
        return sql_store.get_document_by_id("1", index=index).meta

    sql_store.write_documents([Document(content=PARIS, id="1", meta={"name": "x"})], index="one")
    sql_store.write_documents([Document(content=PARIS, id="1", meta={"year": 1})], index="two")
    assert (meta("one"), meta("two")) == ({"name": "x"}, {"year": 1})
    sql_store.write_documents([Document(content=ROME, id="1", meta={"name": "y"})], index="one")
    assert (meta("one"), meta("two")) == ({"name": "y"}, {"year": 1})
    sql_store.update_document_meta("1", {"name": "z"}, index="two")
    assert (meta("one"), meta("two")) == ({"name": "y"}, {"name": "z"})
    # nothing is left over: a field and a reference in each
    assert sql_store.session.query(MetaDocumentORM).count() == 4
    references = {(d.index, d.reference) for d in sql_store._access.by_ids(["1"])}
    key = sql_store.representations.key
    assert references == {("one", key(ROME).hex()), ("two", key(PARIS).hex())}


def test_evaluation_data_leave_the_documents_alone(make_faiss: Any, tmp_path: Path) -> None:
    store = make_faiss()
    store.write_documents([Document(content=PARIS, meta={"name": "x", "year": 1})])
    question = {"id": "q", "question": "where is paris", "answers": [{"text": "france", "answer_start": 12}]}
    data = {"data": [{"title": "y", "paragraphs": [{"context": PARIS, "qas": [{**question, "is_impossible": False}]}]}]}
    path = tmp_path / "eval.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    store.add_eval_data(str(path), doc_index="eval_document", label_index="label")
    [found], [other] = store.get_all_documents(), store.get_all_documents(index="eval_document")
    assert found.id == other.id
    assert found.meta == {"name": "x", "year": 1}
    assert other.meta["name"] == "y"
    assert "year" not in other.meta


def test_reading_and_deleting_by_meta(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_documents([Document(content=PARIS, id="1", meta={"name": "x"})], index="one")
    store.write_documents([Document(content=PARIS, id="1", meta={"name": "y", "year": 1})], index="two")
    assert [found.meta for found in store.get_all_documents(index="one")] == [{"name": "x"}]
    assert [found.meta for found in store.get_all_documents(index="two")] == [{"name": "y", "year": 1}]
    for filters in ({"name": "y"}, {"year": [1]}, {"$and": {"name": "x", "year": 1}}, {"$not": {"name": "x"}}):
        assert store.get_all_documents(index="one", filters=filters) == []
        store.delete_documents(index="one", filters=filters)
    assert store.get_document_count(index="one") == 1
    store.delete_documents(index="one", filters={"$or": {"name": "x", "year": 2}})
    assert (store.get_document_count(index="one"), store.get_document_count(index="two")) == (0, 1)


def test_documents_of_one_index_are_read_as_the_parent_reads_them(
    make_faiss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrow_reads, "IDS_AT_ONCE", 2)
    store = make_faiss(embedding_dim=DIMENSION)
    store.write_documents([document(number) for number in range(5)])
    store.write_documents([document(number, embedded=False) for number in range(5, 9)])
    arguments: list[dict[str, Any]] = [
        {},
        {"batch_size": 2},
        {"index": "none"},
        {"filters": {"parity": [1]}, "batch_size": 3},
        {"filters": {"$or": {"number": 0, "parity": {"$in": [1]}}}},
        {"filters": {"$and": [{"parity": 1}, {"$not": {"number": 3}}]}},
        {"only_documents_without_embedding": True},
        {"vector_ids": ["0", "3"]},
    ]
    for given in arguments:
        found, parents = list(store._query(**given)), list(SQLDocumentStore._query(store, **given))
        assert [one.to_dict() for one in found] == [one.to_dict() for one in parents], given
        assert found or given == {"index": "none"}
    store.use_windowed_query = False
    assert {one.id for one in store._query()} == {str(number) for number in range(9)}


@pytest.fixture(params=["document_index", "name"])
def explained(request: pytest.FixtureRequest, make_faiss: Any) -> Any:
    """A store with SQLite's indexes made in an order that misleads it, and how it does what it is asked."""
    store = make_faiss(embedding_dim=DIMENSION)
    store.write_documents([document(number) for number in range(4)])
    session, engine = store.session, store.session.get_bind()
    misleading = f"ix_meta_document_{request.param}"
    session.execute(text(f"DROP INDEX {misleading}"))
    session.execute(text(f"CREATE INDEX {misleading} ON meta_document ({request.param})"))
    session.commit()
    steps: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "DELETE", "UPDATE")):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters[0] if many else parameters)
            steps.extend(row[-1] for row in cursor.fetchall())

    def look(task: Callable[[], Any]) -> list[str]:
        steps.clear()
        event.listen(engine, "before_cursor_execute", explain)
        try:
            task()
        finally:
            event.remove(engine, "before_cursor_execute", explain)
            session.rollback()
        return list(steps)

    return store, look


def test_rows_are_found_without_going_through_all(explained: Any) -> None:
    store, look = explained
    keys = [store.representations.key(f"paris {number}") for number in range(3)]

    def overwrite() -> None:
        with store._access.changing("document"):
            store.session.query(MetaDocumentORM).filter_by(document_id="1").delete()

    # it asks for the beginnings of its batches: Haystack's own way
    def goes_through_all() -> Any:
        return list(store._query())

    tasks: list[Callable[[], Any]] = [
        lambda: list(store._access.by_ids(["1", "2", "3"])),
        lambda: list(store._access.by_ids(["1", "2", "3"], "document")),
        lambda: list(store._access.documents("document", batch_size=2)),
        lambda: store._access.referring([key.hex() for key in keys]),
        lambda: store._access.set_references("document", {"1": "0" * 32, "2": "1" * 32}),
        lambda: vector_numbers(store.session, "document", ["1", "2", "3"]),
        lambda: contents_of(store.session, "document", ["1", "2", "3"]),
        lambda: store._forget_meta("document", ["1", "2", "3"]),
        lambda: renumber(store.session, "document", {2: 9}),
        goes_through_all,
        lambda: store.get_documents_by_vector_ids(["0", "1"]),
        overwrite,
    ]
    for number, task in enumerate(tasks):
        steps = look(task)
        assert steps, number
        for step in steps:
            assert "document_index=?" not in step, (number, steps)
            assert "(name=?" not in step, (number, steps)
            assert not step.startswith("SCAN document") or task is goes_through_all, (number, steps)


def test_outside_of_a_write_nothing_is_narrowed(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_documents([Document(content=PARIS, id="1", meta={"name": "x"})], index="one")
    store.write_documents([Document(content=PARIS, id="1", meta={"name": "y"})], index="two")
    store.session.query(MetaDocumentORM).filter_by(document_id="1", name="name").delete()
    store.session.commit()
    names = [row.name for row in store.session.query(MetaDocumentORM)]
    assert names == [REPRESENTATION_META_KEY] * 2
