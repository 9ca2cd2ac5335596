"""Half characters: refused before anything is taken in, and no response fails by those that are there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient
from haystack.schema import Answer, Document, Label

from haystack_deformer.rest_api.characters import WholeJSONResponse, check_whole, has_half_character

HALF = "\ud800"


def post(client: TestClient, path: str, body: Any) -> Any:
    # the client's own json= would write UTF-8
    return client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})


def documents(client: TestClient) -> list[Any]:
    response = client.post("/documents/get_by_filters", json={"filters": {}})
    assert response.status_code == 200, response.text
    return response.json()


def test_a_response_with_any_text() -> None:
    content = {f"Köln {HALF}": ["漢 😀 \\ud800", HALF, "\udfff"]}
    body = WholeJSONResponse(content).body
    assert json.loads(body) == content
    assert "Köln".encode() in body


def test_what_is_whole() -> None:
    assert has_half_character(f"a{HALF}")
    assert not any(has_half_character(value) for value in ("", "漢 😀", b"\xff", 1, None))
    nested: Any = "text"
    for _ in range(50):
        nested = [nested]
    check_whole("it", nested)
    with pytest.raises(HTTPException, match="it is nested more than 50 deep"):
        check_whole("it", {"a": nested})


@pytest.mark.parametrize("meta", [{"author": HALF}, {HALF: 1}, {"authors": [{"name": f"x{HALF}"}]}])
def test_meta_of_an_upload(client: TestClient, meta: dict[str, Any]) -> None:
    for field in ("meta", "additional_params"):
        response = client.post(
            "/file-upload", files={"files": ("a.txt", b"paris")}, data={field: json.dumps({**meta, "good": "漢"})}
        )
        assert response.status_code == 400, response.text
        assert "half a character" in response.json()["errors"][0]
    assert documents(client) == []


def test_meta_that_is_nested_deep(client: TestClient) -> None:
    meta = '{"a": ' + "[" * 500 + "]" * 500 + "}"
    response = client.post("/file-upload", files={"files": ("a.txt", b"paris")}, data={"meta": meta})
    assert response.status_code == 400, response.text
    assert "50 deep" in response.json()["errors"][0]
    assert documents(client) == []


def test_meta_that_is_there_already(client: TestClient) -> None:
    store = client.app.state.service.document_store  # type: ignore[attr-defined]
    service = client.app.state.service  # type: ignore[attr-defined]
    store.write_documents([Document(content="paris is in france", meta={"author": HALF, "name": "a.txt"})])
    store.update_embeddings(service.pipelines.stores[0][1])
    [document] = documents(client)
    assert document["meta"]["author"] == HALF
    response = client.post("/query", json={"query": "where is paris?"})
    assert response.status_code == 200, response.text
    assert response.json()["documents"][0]["meta"]["author"] == HALF


@pytest.mark.parametrize(
    "changes",
    [
        {"query": HALF},
        {"document": {"content": HALF}},
        {"document": {"content": "text", "meta": {"author": [HALF]}}},
        {"answer": {"answer": HALF}},
        {"meta": {HALF: 1}},
        {"id": HALF},
        {"meta": {"a": json.loads("[" * 500 + "]" * 500)}},
    ],
    ids=range(7),
)
def test_feedback(client: TestClient, changes: dict[str, Any]) -> None:
    body = {
        "query": "who?",
        "document": {"content": "text"},
        "is_correct_answer": True,
        "is_correct_document": True,
        "origin": "user-feedback",
    }
    response = post(client, "/feedback", {**body, **changes})
    assert response.status_code == 400, response.text
    assert client.get("/feedback").json() == []


def test_feedback_that_is_there_already(client: TestClient) -> None:
    label = Label(
        query="who?",
        document=Document(content=f"{HALF} it was", id="1"),
        answer=Answer(answer="it", offsets_in_document=[{"start": 2, "end": 4}]),
        is_correct_answer=True,
        is_correct_document=True,
        origin="user-feedback",
    )
    client.app.state.service.document_store.write_labels([label])  # type: ignore[attr-defined]
    assert client.get("/feedback").json()[0]["document"]["content"] == f"{HALF} it was"
    response = client.get("/export-feedback")
    assert response.status_code == 200, response.text
    assert response.json()["data"][0]["paragraphs"][0]["context"] == f"{HALF} it was"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/query", {"query": "who?", "params": {HALF: 1}}),
        ("/query", {"query": "who?", "params": {"Reader": {HALF: 1}}}),
        ("/query", {"query": "who?", "params": {"filters": {f"${HALF}": 1}}}),
        ("/documents/get_by_filters", {"filters": {f"${HALF}": 1}}),
        ("/documents/get_by_filters", {"filters": {HALF: {}}}),
        ("/documents/delete_by_filters", {"filters": {"name": {HALF: 1}}}),
        ("/documents/delete_by_filters", {"filters": {"name": HALF}}),
        ("/feedback", {HALF: 1}),
    ],
    ids=range(8),
)
def test_errors_that_repeat_one(client: TestClient, path: str, body: Any) -> None:
    response = post(client, path, body)
    assert response.status_code in (400, 422), response.text
    assert response.json()["errors"]
