"""Uploads of JSON: lists of documents, which may bring what no store could keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from haystack_deformer.rest_api import ServerSettings, create_app


@pytest.fixture(scope="module")
def json_client(write_pipelines: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that reads JSON."""
    path = write_pipelines(tmp_path_factory.mktemp("json"), "memory", TextConverter="JsonConverter")
    with TestClient(create_app(ServerSettings(pipeline=path)), raise_server_exceptions=False) as client:
        yield client


def upload(client: TestClient, content: bytes) -> Any:
    return client.post("/file-upload", files={"files": ("a.json", content)})


@pytest.mark.parametrize(
    "content",
    ['{\n "content": "paris"\n}', '{"content": "paris"', '["paris"]', "[1]", '{"content": null}', "[[]]", "1", "[]"],
)
def test_json_that_is_no_documents(json_client: TestClient, content: str) -> None:
    response = upload(json_client, content.encode())
    assert response.status_code == 400, response.text
    assert "cannot read" in response.text
    # the server's folders are not told
    assert "/" not in response.text
    assert upload(json_client, b'{"content": "paris"}\n{"content": "berlin"}').status_code == 200


def test_a_byte_order_mark_is_no_letter(json_client: TestClient) -> None:
    assert upload(json_client, '\ufeff[{"content": "Bonn."}]'.encode()).status_code == 200
    documents = json_client.post("/documents/get_by_filters", json={}).json()
    assert "Bonn." in {document["content"] for document in documents}


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"embedding": [1.0, 2.0]}, "The embedding of the document"),
        ({"embedding": ["x"] * 32}, "The embedding of the document"),
        ({"content_type": "table"}, "content_type 'table'"),
        ({"meta": {"classification": "city"}}, "meta.classification"),
        ({"meta": {"deep": json.loads("[" * 100 + "]" * 100)}}, "nested more than 50 deep"),
        ({"meta": {"half": "\ud800"}}, "meta.half has half a character"),
        ({"id": "\ud800"}, "id has half a character"),
    ],
    ids=["short", "words", "table", "classification", "deep", "half", "id"],
)
def test_json_documents_that_the_store_cannot_take(
    write_pipelines: Any, tmp_path: Path, field: dict[str, Any], said: str
) -> None:
    """One that was taken in would make every later listing, search or upload fail."""
    embeds = "{name: Retriever, inputs: [Converter]}\n      - {name: DocumentStore, inputs: [Retriever]}"
    as_they_come = {embeds: "{name: DocumentStore, inputs: [Converter]}"}
    path = write_pipelines(tmp_path, "faiss", TextConverter="JsonConverter", **as_they_come)
    with TestClient(create_app(ServerSettings(pipeline=path)), raise_server_exceptions=False) as client:
        response = upload(client, json.dumps([{"content": "paris", **field}]).encode())
        assert response.status_code == 400, response.text
        assert said in response.json()["errors"][0]
        assert client.post("/documents/get_by_filters", json={"filters": {}}).json() == []
