"""Documents by filters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from haystack.document_stores import InMemoryDocumentStore


def names(client: TestClient, body: dict[str, Any], **params: str) -> set[str]:
    response = client.post("/documents/get_by_filters", json=body, params=params)
    assert response.status_code == 200, response.text
    return {document["meta"]["name"] for document in response.json()}


def test_get(uploaded: TestClient) -> None:
    assert names(uploaded, {"filters": {}}) == {"france.txt", "germany.txt"}
    assert names(uploaded, {}) == {"france.txt", "germany.txt"}
    assert names(uploaded, {"filters": {"name": ["france.txt", "other"]}}) == {"france.txt"}
    assert names(uploaded, {"filters": {"name": "germany.txt"}}) == {"germany.txt"}
    assert names(uploaded, {"filters": {"name": {"$ne": "germany.txt"}}}) == {"france.txt"}
    assert names(uploaded, {"filters": {"name": {"$in": ["germany.txt"]}, "kind": "city"}}) == {"germany.txt"}
    either = {"$or": {"name": {"$eq": "germany.txt"}, "kind": "river"}}
    assert names(uploaded, {"filters": either}) == {"germany.txt"}
    neither = {"$not": [{"name": "france.txt"}, {"kind": "river"}]}
    assert names(uploaded, {"filters": neither}) == {"germany.txt"}
    assert names(uploaded, {"filters": {"kind": "river"}}) == set()
    assert names(uploaded, {"filters": {}}, index="other") == set()
    [document] = uploaded.post("/documents/get_by_filters", json={"filters": {"name": "germany.txt"}}).json()
    assert set(document) == {"id", "content", "content_type", "meta", "id_hash_keys"}


def test_a_body_without_a_content_type(uploaded: TestClient) -> None:
    # as Haystack's own examples send it
    response = uploaded.post("/documents/get_by_filters", content='{"filters": {}}')
    assert len(response.json()) == 2


def test_delete(uploaded: TestClient) -> None:
    response = uploaded.post("/documents/delete_by_filters", json={"filters": {"name": ["france.txt"]}})
    assert response.json() is True
    assert names(uploaded, {"filters": {}}) == {"germany.txt"}
    body = uploaded.post("/query", json={"query": "what is the capital?"}).json()
    assert {document["meta"]["name"] for document in body["documents"]} == {"germany.txt"}
    assert body["answers"][0]["meta"]["name"] == "germany.txt"
    assert uploaded.post("/documents/delete_by_filters", json={"filters": {}}).json() is True
    assert names(uploaded, {"filters": {}}) == set()


@pytest.mark.parametrize("action", ["get_by_filters", "delete_by_filters"])
def test_an_index_of_labels_is_none_for_documents_in_memory(uploaded: TestClient, action: str) -> None:
    store = uploaded.app.state.service.document_store  # type: ignore[attr-defined]
    label = {"document": {"content": "x"}, "query": "q", "origin": "user-feedback", "is_correct_answer": True}
    assert uploaded.post("/feedback", json={**label, "is_correct_document": True}).status_code == 200
    index = {"index": store.label_index}
    for filters in ({}, {"name": "x"}):
        response = uploaded.post(f"/documents/{action}", json={"filters": filters}, params=index)
        # a database has tables of their own for both
        assert response.status_code == (400 if isinstance(store, InMemoryDocumentStore) else 200), response.text
    assert len(uploaded.get("/feedback").json()) == 1


def test_filters_larger_than_a_query(uploaded: TestClient) -> None:
    filters = {"$or": [{"name": f"{number}.txt"} for number in range(5_000)]}
    for action in ("get_by_filters", "delete_by_filters"):
        response = uploaded.post(f"/documents/{action}", json={"filters": filters})
        assert response.status_code in (200, 400), response.text
    assert names(uploaded, {"filters": {}}) == {"france.txt", "germany.txt"}


@pytest.mark.parametrize("action", ["get_by_filters", "delete_by_filters"])
@pytest.mark.parametrize(
    "body",
    [
        {"filters": []},
        {"filters": "name"},
        {"unknown": 1},
        {"filters": {"name": {"$nothing": 1}}},
        {"filters": {"$and": 1}},
        {"filters": {"$not": [1]}},
        {"filters": {"name": {"$in": 5}}},
        {"filters": {"name": [["nested"]]}},
        {"filters": {"\ud800": "x"}},
        {"filters": {"$or": [{"name": "x"}, {}]}},
        {"filters": {"name": {}}},
        {"filters": {"name": {"$not": {"$in": ["france.txt"]}}}},
        {"filters": {"name": {"$and": [{"$ne": "france.txt"}]}}},
        {"filters": {"name": {"$eq": "france.txt", "$regex": "x"}}},
        {"filters": {"$and": []}},
        {"filters": {"$or": []}},
        {"filters": {"$not": []}},
        {"filters": {"$not": {"$eq": "france.txt"}}},
        {"filters": {"year": {"$gt": None}}},
        [],
    ],
    ids=range(20),
)
def test_refused(uploaded: TestClient, action: str, body: Any) -> None:
    response = uploaded.post(
        f"/documents/{action}", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert 400 <= response.status_code < 500, response.text
    assert response.json()["errors"]
    assert names(uploaded, {"filters": {}}) == {"france.txt", "germany.txt"}
