"""Documents that a store cannot take, refused before anything is computed or written."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from haystack.schema import Document

from haystack_deformer.document_stores.unfit import UnfitDocumentError
from tests.document_stores.sql_store import DeFormerSQLDocumentStore

WHOLE = {"label": "city", "score": 0.5, "details": {"city": 0.5}}


@pytest.fixture(params=["faiss", "memory"])
def store(request: pytest.FixtureRequest) -> Any:
    """A store of either kind for vectors of four numbers."""
    return request.getfixturevalue(f"make_{request.param}")(embedding_dim=4)


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        ([1.0, float("nan"), 1.0, 1.0], "no list of finite numbers, got .*nan"),
        ([1.0, float("inf"), 1.0, 1.0], "no list of finite numbers, got .*inf"),
        ([[1.0] * 4], r"(no list of finite numbers|has the shape \(1, 4\))"),
        (["x"] * 4, "no list of finite numbers, got .*'x'"),
        ("abcd", r"(no list of finite numbers, got .*abcd|has the shape \(\))"),
        ([None] * 4, "no list of finite numbers, got .*None"),
        ([1.0] * 3, r"has the shape \(3,\), and .* 4 numbers"),
    ],
    ids=str,
)
def test_an_embedding_that_no_search_could_use(store: Any, embedding: Any, message: str) -> None:
    store.write_documents([Document(content="paris", embedding=np.ones(4, dtype=np.float32))])
    unfit = {"content": "berlin", "embedding": embedding, "id": "unfit"}
    with pytest.raises(UnfitDocumentError, match=f"document 'unfit' .*{message}"):
        store.write_documents([{"content": "london"}, unfit])
    assert [document.content for document in store.get_all_documents()] == ["paris"]
    assert store.prune_representations() == 0
    assert [document.content for document in store.query_by_embedding(np.ones(4))] == ["paris"]


def test_vectors_of_another_length_in_memory(make_memory: Any) -> None:
    """InMemoryDocumentStore heeds no embedding_dim: whatever all have is right."""
    store = make_memory()
    store.write_documents([Document(content="paris", embedding=np.ones(3), id="paris")])
    # all that are there are written anew
    store.write_documents([Document(content="paris", embedding=np.ones(5), id="paris"), Document(content="berlin")])
    store.write_documents([Document(content="london", embedding=np.ones(3))], index="other")
    with pytest.raises(UnfitDocumentError, match=r"'paris' .* that of 'rome' has 2 numbers: give all one length"):
        store.write_documents(
            [Document(content=name, embedding=np.ones(size), id=name) for name, size in (("rome", 2), ("paris", 5))]
        )


def test_a_table_that_is_none(store: Any) -> None:
    with pytest.raises(UnfitDocumentError, match="document 'unfit' is a str, and its content_type 'table'"):
        store.write_documents([Document(content="abc", content_type="table", id="unfit"), Document(content="paris")])
    assert store.get_document_count() == 0
    store.write_documents([Document(content=pd.DataFrame({"city": ["paris"]}), content_type="table")])
    assert store.get_document_count() == 1


@pytest.fixture(params=["faiss", "sql"])
def sql_store(request: pytest.FixtureRequest, make_faiss: Any, tiny_deformer: Path, tmp_path: Path) -> Any:
    """A store over SQL of either kind."""
    if request.param == "faiss":
        return make_faiss()
    return DeFormerSQLDocumentStore(f"sqlite:///{tmp_path}/x.db", deformer_model=str(tiny_deformer))


@pytest.mark.parametrize("given", ["city", None, {"label": "city", "score": 1}], ids=str)
def test_a_classification_that_sql_cannot_take_apart(sql_store: Any, given: Any) -> None:
    with pytest.raises(UnfitDocumentError, match=r"meta\.classification must be an object with \['label'"):
        sql_store.write_documents([Document(content="paris", meta={"classification": given})])
    assert sql_store.get_document_count() == 0
    sql_store.write_documents([Document(content="paris", meta={"classification": dict(WHOLE)})])
    assert sql_store.get_document_count() == 1


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"when": date(2024, 1, 1)}, r"field meta\.when .* 'unfit' is datetime\.date\(.*date is not JSON"),
        ({"a": 1, "b": [{"c": np.float32(1)}]}, r"field meta\.b .* 'unfit' .*float32 is not JSON .*: give texts"),
        ({"classification": {**WHOLE, "label": {1}}}, r"field meta\.classification .* 'unfit' .*set is not JSON"),
    ],
)
def test_meta_that_is_not_json(sql_store: Any, computed: list[str], meta: Any, message: str) -> None:
    with pytest.raises(UnfitDocumentError, match=message):
        sql_store.write_documents([{"content": "london"}, {"content": "berlin", "meta": meta, "id": "unfit"}])
    assert (sql_store.get_document_count(), computed) == (0, [])
    # of this one the parents make a text
    details = {"classification": {**WHOLE, "details": {"when": date(2024, 1, 1)}}}
    sql_store.write_documents([{"content": "berlin", "meta": details}])
    assert sql_store.get_document_count() == 1


def test_memory_takes_all_meta(make_memory: Any) -> None:
    store = make_memory()
    store.write_documents([{"content": "berlin", "meta": {"when": date(2024, 1, 1), "classification": "city"}}])
    assert store.get_all_documents()[0].meta == {"when": date(2024, 1, 1), "classification": "city"}
