"""Indexes beside the default one: found, also after a restart, and refused where they are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from haystack.document_stores import FAISSDocumentStore

from haystack_deformer.rest_api import ServerSettings, create_app
from haystack_deformer.rest_api.pipelines import ServedPipeline

NOT_EMBEDDING = {
    "{name: Retriever, inputs: [Converter]}": "{name: DocumentStore, inputs: [Converter]}",
    "      - {name: DocumentStore, inputs: [Retriever]}\n": "",
}


def upload(client: TestClient, text: str, params: dict[str, Any]) -> Any:
    file = ("a.txt", text.encode())
    return client.post("/file-upload", files={"files": file}, data={"additional_params": json.dumps(params)})


def ask(client: TestClient, params: dict[str, Any]) -> Any:
    # the client's own json= would write UTF-8, which has no half characters
    body = json.dumps({"query": "where?", "params": params})
    return client.post("/query", content=body, headers={"Content-Type": "application/json"})


def found(client: TestClient, params: dict[str, Any]) -> set[str]:
    response = ask(client, params)
    assert response.status_code == 200, response.text
    return {document["content"] for document in response.json()["documents"]}


@pytest.mark.parametrize("changes", [{}, NOT_EMBEDDING], ids=["embedded by the pipeline", "embedded after it"])
def test_another_index_and_a_restart(write_pipelines: Any, tmp_path: Path, changes: dict[str, str]) -> None:
    settings = ServerSettings(pipeline=write_pipelines(tmp_path, **changes))
    with TestClient(create_app(settings)) as client:
        assert upload(client, "paris is in france", {}).status_code == 200
        assert upload(client, "berlin is in germany", {"DocumentStore": {"index": "archive"}}).status_code == 200
        assert found(client, {}) == {"paris is in france"}
        assert found(client, {"Retriever": {"index": "archive"}}) == {"berlin is in germany"}
    for text in ("the river", "the capital"):
        with TestClient(create_app(settings)) as client:
            before = found(client, {"Retriever": {"index": "archive"}})
            assert "berlin is in germany" in before
            response = upload(client, text, {"index": "archive"})
            assert response.status_code == 200, response.text
            assert found(client, {"index": "archive"}) == before | {text}
            assert found(client, {}) == {"paris is in france"}


@pytest.mark.parametrize("changes", [{}, NOT_EMBEDDING], ids=["embedded by the pipeline", "embedded after it"])
def test_a_second_store_and_a_restart(write_pipelines: Any, tmp_path: Path, changes: dict[str, str]) -> None:
    """Asked and written beside the first: its vectors too are there after a restart, and it is no other server's."""
    second = {
        "  - name: Converter\n": "  - name: OtherStore\n    type: FAISSDocumentStore\n"
        f"    params: {{embedding_dim: 32, similarity: cosine, sql_url: 'sqlite:///{tmp_path}/other.db'}}\n"
        "  - name: OtherRetriever\n    type: EmbeddingRetriever\n"
        "    params: {document_store: OtherStore, embedding_model: ENCODER, use_gpu: false, progress_bar: false,\n"
        "             model_format: sentence_transformers}\n"
        "  - name: Join\n    type: JoinDocuments\n"
        "  - name: Converter\n",
        "      - {name: Reader, inputs: [Retriever]}\n": "      - {name: OtherRetriever, inputs: [Query]}\n"
        "      - {name: Join, inputs: [OtherRetriever, Retriever]}\n"
        "      - {name: Reader, inputs: [Join]}\n",
    }
    path = write_pipelines(tmp_path, **changes, **second)
    text = path.read_text(encoding="utf-8")
    encoder = text.split("embedding_model: ")[1].split(",")[0]
    written = "      - {name: OtherStore, inputs: [Converter]}\n"
    path.write_text(text.replace("ENCODER", encoder) + written, encoding="utf-8")
    settings = ServerSettings(pipeline=path)
    for text in ("paris is in france", "berlin is in germany"):
        with TestClient(create_app(settings)) as client:
            assert upload(client, text, {}).status_code == 200
            with pytest.raises(ValueError, match=r"Another server .*store open"):
                create_app(settings)
    with TestClient(create_app(settings)) as client:
        first, other = (served.store for served in client.app.state.service.stores)  # type: ignore[attr-defined]
        assert isinstance(other, FAISSDocumentStore)
        for store in (first, other):
            assert store.get_embedding_count() == store.get_document_count() == 2
        assert (tmp_path / "other.vectors").is_dir()
        first.delete_documents()
        assert found(client, {}) == {"paris is in france", "berlin is in germany"}


@pytest.mark.parametrize("params", [{"Retriever": {"index": "nowhere"}}, {"index": "nowhere"}], ids=["node", "all"])
def test_an_index_that_there_is_not(uploaded: TestClient, params: dict[str, Any]) -> None:
    response = ask(uploaded, params)
    if isinstance(uploaded.app.state.service.document_store, FAISSDocumentStore):  # type: ignore[attr-defined]
        assert response.status_code == 400, response.text
        assert "'nowhere'" in response.json()["errors"][0]
    else:
        assert response.json()["documents"] == []
    assert len(found(uploaded, {"Retriever": {"index": "document"}})) == 2
    assert len(found(uploaded, {"Retriever": {"index": None}})) == 2


@pytest.mark.parametrize("index", [5, True, ["document"], {"a": 1}, "x" * 101, "\ud800"], ids=range(6))
def test_what_is_no_name(uploaded: TestClient, index: Any) -> None:
    for response in (
        ask(uploaded, {"Retriever": {"index": index}}),
        ask(uploaded, {"index": index}),
        upload(uploaded, "the river", {"DocumentStore": {"index": index}}),
    ):
        assert response.status_code == 400, response.text
    assert len(found(uploaded, {})) == 2


def test_the_last_of_two_kinds_counts() -> None:
    """As in Haystack's nodes, which go through the parameters one after the other."""
    for params, value in (
        ({}, None),
        ({"Other": {"index": "a"}}, None),
        ({"Store": {"headers": {}}}, None),
        ({"Store": {"index": "a"}, "index": "b"}, "b"),
        ({"index": "b", "Store": {"index": "a"}}, "a"),
        ({"index": "b", "Store": {"headers": {}}}, "b"),
    ):
        assert ServedPipeline.given("Store", "index", params) == value
