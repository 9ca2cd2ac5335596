"""One id in two indexes of an SQL store, as any text has that is in both: each has its own meta."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from haystack.document_stores import SQLDocumentStore
from haystack.document_stores.sql import MetaDocumentORM
from haystack.schema import Document

from haystack_deformer.document_stores import REPRESENTATION_META_KEY
from haystack_deformer.document_stores.repairs import narrow_reads
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


def test_outside_of_a_write_nothing_is_narrowed(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_documents([Document(content=PARIS, id="1", meta={"name": "x"})], index="one")
    store.write_documents([Document(content=PARIS, id="1", meta={"name": "y"})], index="two")
    store.session.query(MetaDocumentORM).filter_by(document_id="1", name="name").delete()
    store.session.commit()
    names = [row.name for row in store.session.query(MetaDocumentORM)]
    assert names == [REPRESENTATION_META_KEY] * 2
