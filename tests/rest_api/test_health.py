"""Health, metrics and the log."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import anyio.to_thread
import pytest
from fastapi.testclient import TestClient

from haystack_deformer.rest_api import observing


def test_health(client: TestClient) -> None:
    body = client.get("/health").json()
    assert set(body) == {"version", "cpu", "memory", "gpus"}
    assert body["cpu"]["used"] >= 0
    assert 0 <= body["memory"]["used"] <= 100


def value(client: TestClient, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_metrics(uploaded: TestClient) -> None:
    answered = 'haystack_deformer_requests_total{method="POST",route="/query",status="200"}'
    found = 'haystack_deformer_passages_total{states="found"}'
    before, before_found = value(uploaded, answered), value(uploaded, found)
    uploaded.post("/query", json={"query": "who?"})
    assert value(uploaded, answered) == before + 1
    assert value(uploaded, found) == before_found + 2
    assert value(uploaded, 'haystack_deformer_stage_seconds_count{stage="Reader"}') >= 1
    assert value(uploaded, 'haystack_deformer_reader_seconds_total{part="upper"}') > 0


def test_metrics_of_strange_requests_have_one_label(client: TestClient) -> None:
    for number in range(5):
        client.get(f"/nothing/{number}")
    text = client.get("/metrics").text
    assert "/nothing" not in text
    assert 'route="other",status="404"' in text


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(observing.logger, "info", lambda text: found.append(json.loads(text)))
    return found


def test_a_line_for_each_request(uploaded: TestClient, lines: list[dict[str, Any]]) -> None:
    response = uploaded.post("/query", json={"query": "who is that?"})
    [line] = lines
    assert line["request_id"] == response.headers["x-request-id"]
    assert (line["method"], line["route"], line["status"]) == ("POST", "/query", 200)
    assert line["milliseconds"] > 0
    assert list(line["stages"]) == ["Retriever", "Reader"]
    assert set(line["reader"]) == {"question", "read", "compute", "upper", "spans"}
    assert line["states"] == {"found": 2, "computed": 0}
    assert line["documents"] == 2
    assert set(line["document_ids"]) == {d["id"] for d in response.json()["documents"]}
    assert "who is" not in json.dumps(line)


def test_lines_of_uploads_and_refusals(client: TestClient, lines: list[dict[str, Any]]) -> None:
    client.post("/file-upload", files={"files": ("a.txt", b"paris")})
    client.post("/query", content=b"{")
    client.post("/query", content=b"x" * 3_000_000)
    upload, broken, large = lines
    assert (upload["files"], upload["documents"], upload["status"]) == (1, 1, 200)
    assert list(upload["stages"]) == ["Converter", "Retriever", "DocumentStore"]
    assert broken["status"] == 422
    assert large["status"] == 413


def test_a_failure_is_found_by_its_id(uploaded: TestClient, lines: list[dict[str, Any]], monkeypatch: Any) -> None:
    reader = uploaded.app.state.service.pipelines.query.get_node("Reader")  # type: ignore[attr-defined]
    monkeypatch.setattr(reader, "predict", lambda *_, **__: 1 / 0)
    response = uploaded.post("/query", json={"query": "who?"})
    [line] = lines
    assert (line["status"], line["failed"]) == (500, "Reader")
    assert line["request_id"] == response.headers["x-request-id"]
    assert line["request_id"] in response.json()["errors"][0]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/initialized", 200),
        ("GET", "/hs_version", 200),
        ("GET", "/metrics", 200),
        ("GET", "/", 200),
        ("GET", "/nothing", 404),
        ("POST", "/query", 422),
    ],
)
def test_what_waits_for_no_thread(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, method: str, path: str, status: int
) -> None:
    """Requests that wait for the store can have all of them, and a container whose health check fails is ended."""

    async def none_is_free(*_: Any, **__: Any) -> NoReturn:
        message = "it would wait"
        raise AssertionError(message)

    monkeypatch.setattr(anyio.to_thread, "run_sync", none_is_free)
    assert client.request(method, path).status_code == status
