"""The routes of the group search."""

from __future__ import annotations

from typing import Any

import haystack
import pytest
from fastapi.testclient import TestClient


def test_status(client: TestClient) -> None:
    assert client.get("/initialized").json() is True
    assert client.get("/hs_version").json() == {"hs_version": haystack.__version__}


def test_a_question(uploaded: TestClient) -> None:
    response = uploaded.post(
        "/query", json={"query": "what is the capital?", "params": {"Retriever": {"top_k": 5}, "Reader": {"top_k": 2}}}
    )
    assert response.status_code == 200, response.text
    body = response.json()
    assert set(body) == {"query", "answers", "documents"}
    assert body["query"] == "what is the capital?"
    assert {document["meta"]["name"] for document in body["documents"]} == {"france.txt", "germany.txt"}
    assert len(body["answers"]) == 2
    texts = {document["id"]: document["content"] for document in body["documents"]}
    for answer in body["answers"]:
        assert set(answer) == {
            *("answer", "type", "score", "context", "meta"),
            *("offsets_in_document", "offsets_in_context", "document_ids"),
        }
        span = answer["offsets_in_document"][0]
        assert texts[answer["document_ids"][0]][span["start"] : span["end"]] == answer["answer"]
    assert not any("embedding" in document for document in body["documents"])
    timing = response.headers["server-timing"]
    assert 'states;desc="2 found and 0 computed"' in timing
    assert all(part in timing for part in ("Retriever;dur=", "Reader;dur=", "reader-upper;dur="))


def test_no_documents(client: TestClient) -> None:
    body = client.post("/query", json={"query": "who?"}).json()
    assert body == {"query": "who?", "answers": [], "documents": []}


def test_streaming_is_refused(client: TestClient) -> None:
    response = client.post("/query-streaming", json={"query": "who?"})
    assert response.status_code == 501
    assert "/query" in response.json()["errors"][0]
    assert client.post("/query-streaming", json={}).status_code == 422


def test_what_a_node_wrote(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    written = {"answers": [], "documents": [], "results": ["paris"]}
    monkeypatch.setattr(service, "ask", lambda *_, **__: written)
    assert client.post("/query", json={"query": "who?"}).json() == {"query": "who?", **written}


def test_debug(uploaded: TestClient) -> None:
    body = uploaded.post("/query", json={"query": "who?", "debug": True}).json()
    assert body["_debug"]["Reader"]["runtime"]["found"] == 2
    assert "_debug" not in uploaded.post("/query", json={"query": "who?"}).json()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"Reader": {"debug": True}}, {"Reader"}),
        ({"Reader": {"debug": True, "top_k": 1}, "Retriever": {"debug": False}}, {"Reader"}),
        ({"debug": True}, {"Retriever", "Reader"}),
        ({"debug": False, "Reader": {"debug": True}}, set()),
        ({"debug": None, "Retriever": {"debug": True}}, {"Retriever"}),
        ({}, set()),
    ],
    ids=range(6),
)
def test_debug_among_the_params(uploaded: TestClient, params: dict[str, Any], said: set[str]) -> None:
    # what nodes were told before is nothing to the next request
    uploaded.post("/query", json={"query": "who?", "debug": True})
    response = uploaded.post("/query", json={"query": "who?", "params": params})
    assert response.status_code == 200, response.text
    assert set(response.json().get("_debug", ())) == said


@pytest.mark.parametrize("question", ["\u200b", " \u200b\u200b ", "\x01"])
def test_a_question_without_text(uploaded: TestClient, question: str) -> None:
    response = uploaded.post("/query", json={"query": question})
    assert response.status_code == 400, response.text
    assert "at least one word" in response.json()["errors"][0]


def test_what_a_store_cannot_do(uploaded: TestClient) -> None:
    params = {"Retriever": {"headers": {"a": "b"}}}
    response = uploaded.post("/query", json={"query": "who?", "params": params})
    assert response.status_code == 400, response.text
    assert "headers" in response.json()["errors"][0]


@pytest.mark.parametrize(
    "request_body",
    [
        {},
        {"query": ""},
        {"query": "  "},
        {"query": 5},
        {"query": None},
        {"query": ["who?"]},
        {"query": "x" * 20_000},
        {"query": "who?", "unknown": 1},
        {"query": "who?", "params": []},
        {"query": "who?", "params": {"Nobody": {}}},
        {"query": "who?", "params": {"nothing": 1}},
        {"query": "who?", "params": {"Reader": 1}},
        {"query": "who?", "params": {"Reader": {"documents": []}}},
        {"query": "who?", "params": {"Reader": {"top_k": "many"}}},
        {"query": "who?", "params": {"Reader": {"top_k": 0}}},
        {"query": "who?", "params": {"Retriever": {"top_k": 10**9}}},
        {"query": "who?", "params": {"top_k": -1}},
        {"query": "who?", "params": {"filters": [1]}},
        {"query": "who?", "params": {"filters": {"name": {"$not": {"$in": ["x"]}}}}},
        {"query": "who?", "params": {"Retriever": {"filters": {"$or": []}}}},
        {"query": "who?", "params": {"debug": 1}},
        {"query": "who?", "params": {"Reader": {"debug": "yes"}}},
        {"query": "who?", "debug": "perhaps"},
    ],
)
def test_refused(uploaded: TestClient, request_body: dict[str, Any]) -> None:
    response = uploaded.post("/query", json=request_body)
    assert response.status_code in (400, 422), response.text
    errors = response.json()["errors"]
    assert errors
    assert all(isinstance(error, str) for error in errors)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"query": "\\ud800"}', b"[" * 100_000, b'{"query": NaN}'],
    ids=range(8),
)
def test_broken_bodies(uploaded: TestClient, content: bytes) -> None:
    response = uploaded.post("/query", content=content, headers={"Content-Type": "application/json"})
    assert 400 <= response.status_code < 500, response.text
    assert response.json()["errors"]


def test_too_large(uploaded: TestClient) -> None:
    large = b'{"query": "' + b"x" * 10_000_000 + b'"}'
    assert uploaded.post("/query", content=large).status_code == 413
    # without a Content-Length
    parts = (large[i : i + 100_000] for i in range(0, len(large), 100_000))
    response = uploaded.post("/query", content=parts, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert "MB" in response.json()["errors"][0]


def test_the_limit_answers_503(uploaded: TestClient) -> None:
    service = uploaded.app.state.service  # type: ignore[attr-defined]
    places = [service.questions.place() for _ in range(service.settings.concurrency_limit)]
    for place in places:
        place.__enter__()
    response = uploaded.post("/query", json={"query": "who?"})
    for place in places:
        place.__exit__(None, None, None)
    assert response.status_code == 503
    assert response.json() == {"errors": ["The server is busy processing requests."]}
    assert uploaded.post("/query", json={"query": "who?"}).status_code == 200


def make_reader_fail(client: TestClient, monkeypatch: Any, error: Exception) -> None:
    reader = client.app.state.service.pipelines.query.get_node("Reader")  # type: ignore[attr-defined]

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(reader, "predict", fail)


def test_a_failure_of_the_server_says_no_more_than_its_id(uploaded: TestClient, monkeypatch: Any) -> None:
    make_reader_fail(uploaded, monkeypatch, RuntimeError("secret"))
    response = uploaded.post("/query", json={"query": "who?"})
    assert response.status_code == 500
    assert "secret" not in response.text
    assert len(response.json()["errors"]) == 1


def test_a_mistake_of_a_node_that_was_given_nothing_is_the_servers(uploaded: TestClient, monkeypatch: Any) -> None:
    make_reader_fail(uploaded, monkeypatch, ValueError("no such thing"))
    for params in ({}, {"Retriever": {"top_k": 2}}):
        assert uploaded.post("/query", json={"query": "who?", "params": params}).status_code == 500
    # of one that was, it may be the request's
    for params in ({"Reader": {"top_k": 2}}, {"top_k": 2}):
        response = uploaded.post("/query", json={"query": "who?", "params": params})
        assert response.status_code == 400
        assert response.json() == {"errors": ["The node Reader refused the request: no such thing"]}


def test_unknown_routes_and_methods(client: TestClient) -> None:
    assert client.get("/nothing").json() == {"errors": ["Not Found"]}
    response = client.get("/query")
    assert response.status_code == 405
    assert response.json() == {"errors": ["Method Not Allowed"]}


def test_openapi(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == {
        *(("/query", "post"), ("/query-streaming", "post"), ("/initialized", "get"), ("/hs_version", "get")),
        *(("/feedback", "get"), ("/feedback", "post"), ("/feedback", "delete")),
        *(("/eval-feedback", "post"), ("/export-feedback", "get"), ("/file-upload", "post")),
        *(("/documents/get_by_filters", "post"), ("/documents/delete_by_filters", "post")),
        *(("/health", "get"), ("/metrics", "get")),
    }
    assert paths["/query"]["post"]["operationId"] == "query"
    assert client.get("/docs").status_code == 200


def test_filters_of_a_question(uploaded: TestClient) -> None:
    for filters, names in (
        ({"name": "germany.txt"}, {"germany.txt"}),
        ({"name": {"$ne": "germany.txt"}}, {"france.txt"}),
        ({"kind": "village"}, set()),
    ):
        for params in ({"filters": filters}, {"Retriever": {"filters": filters}}):
            response = uploaded.post("/query", json={"query": "what is a city?", "params": params})
            assert response.status_code == 200, response.text
            assert {document["meta"]["name"] for document in response.json()["documents"]} == names
