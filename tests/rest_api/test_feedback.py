"""Labels of users."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi.testclient import TestClient
from haystack.document_stores import InMemoryDocumentStore

from haystack_deformer.reading import context_window

TEXT = "the capital of germany is berlin, a city on the spree. " * 20


def feedback(**changes: Any) -> dict[str, Any]:
    start = TEXT.index("berlin", 300)
    values = {
        "id": "123",
        "query": "what is the capital?",
        "document": {
            "content": TEXT,
            "content_type": "text",
            "score": None,
            "id": "fc18",
            "meta": {"name": "germany.txt"},
            "embedding": None,
            "id_hash_keys": None,
        },
        "answer": {
            "answer": "berlin",
            "type": "extractive",
            "context": TEXT[start - 20 : start + 20],
            "offsets_in_context": [{"start": 20, "end": 26}],
            "offsets_in_document": [{"start": start, "end": start + 6}],
            "document_ids": ["fc18"],
            "meta": {},
            "score": 0.7,
        },
        "is_correct_answer": True,
        "is_correct_document": True,
        "origin": "user-feedback",
        "pipeline_id": "some-123",
    }
    return {**values, **changes}


def post(client: TestClient, **changes: Any) -> Any:
    return client.post("/feedback", json=feedback(**changes))


def test_round_trip(client: TestClient) -> None:
    assert post(client).status_code == 200
    [label] = client.get("/feedback").json()
    expected = feedback()
    for name in ("id", "query", "is_correct_answer", "is_correct_document", "origin", "pipeline_id"):
        assert label[name] == expected[name]
    assert label["answer"] == expected["answer"]
    assert label["document"]["content"] == TEXT
    assert label["document"]["meta"] == {"name": "germany.txt"}


def test_without_optional_fields(client: TestClient) -> None:
    body = feedback()
    for name in ("id", "answer", "pipeline_id"):
        del body[name]
    body["document"] = {"content": "text"}
    assert client.post("/feedback", json=body).status_code == 200
    assert post(client, id="2", answer=None, no_answer=True, is_correct_answer=False).status_code == 200
    assert len(client.get("/feedback").json()) == 2


def test_fields_without_a_value_are_written(client: TestClient) -> None:
    """As Haystack's server does for labels: its clients read `label["answer"]` without asking whether it is there."""
    post(client, answer=None)
    [label] = client.get("/feedback").json()
    assert label["answer"] is None
    assert label["filters"] is None
    assert label["document"]["embedding"] is None


def test_what_a_question_returned_can_be_judged(uploaded: TestClient) -> None:
    """Haystack's UI sends answer and document back as it got them."""
    body = uploaded.post("/query", json={"query": "what is the capital?"}).json()
    documents = {document["id"]: document for document in body["documents"]}
    assert body["answers"]
    for answer in body["answers"]:
        sent = feedback(answer=answer, document=documents[answer["document_ids"][0]])
        del sent["id"]
        assert uploaded.post("/feedback", json=sent).status_code == 200
    assert len(uploaded.get("/export-feedback").json()["data"]) == len(body["answers"])


def test_a_label_index_of_its_own(client: TestClient) -> None:
    other = {"index": "other"}
    assert post(client, id="1").status_code == 200
    response = client.post("/feedback", json=feedback(id="2", is_correct_answer=False), params=other)
    assert response.status_code == 200
    assert [label["id"] for label in client.get("/feedback", params=other).json()] == ["2"]
    assert [label["id"] for label in client.get("/feedback").json()] == ["1"]
    assert client.post("/eval-feedback", params=other).json()["answer_accuracy"] == 0
    assert client.post("/eval-feedback").json()["answer_accuracy"] == 1
    assert client.get("/export-feedback", params=other).json() == {"data": []}
    assert len(client.get("/export-feedback").json()["data"]) == 1
    assert client.delete("/feedback", params=other).status_code == 200
    assert client.get("/feedback", params=other).json() == []
    assert len(client.get("/feedback").json()) == 1


def test_an_index_of_documents_is_none_for_labels_in_memory(uploaded: TestClient) -> None:
    store = uploaded.app.state.service.document_store  # type: ignore[attr-defined]
    index = {"index": store.index}
    in_memory = isinstance(store, InMemoryDocumentStore)
    # a database has tables of their own for both
    assert uploaded.post("/feedback", json=feedback(), params=index).status_code == (400 if in_memory else 200)
    for method, path in (
        ("GET", "/feedback"),
        ("POST", "/eval-feedback"),
        ("GET", "/export-feedback"),
        ("DELETE", "/feedback"),
    ):
        assert uploaded.request(method, path, params=index).status_code == (400 if in_memory else 200)
    assert uploaded.post("/query", json={"query": "what is the capital?"}).status_code == 200
    if in_memory:
        params = {"additional_params": json.dumps({"DocumentStore": {"index": store.label_index}})}
        files = [("files", ("rome.txt", b"rome is the capital of italy."))]
        response = uploaded.post("/file-upload", files=files, data=params)
        assert response.status_code == 400
        assert "is of labels" in response.text


def test_an_answer_in_a_table(client: TestClient) -> None:
    cells = [{"row": 1, "col": 0}]
    table = [["city", "country"], ["paris", "france"]]
    document = {"content": table, "content_type": "table", "id": "t"}
    answer = {"answer": "paris", "context": table, "offsets_in_document": cells, "offsets_in_context": cells}
    assert post(client, document=document, answer=answer).status_code == 200
    [label] = client.get("/feedback").json()
    assert label["answer"]["offsets_in_document"] == cells
    assert label["document"]["content"] == table
    # no text, so nothing in SQuAD's format
    assert client.get("/export-feedback").json() == {"data": []}


def test_a_table_without_rows(client: TestClient) -> None:
    response = post(client, document={"content": [], "content_type": "table", "id": "t"})
    assert response.status_code == 400
    assert "no label" in response.text
    assert post(client, answer={"answer": "paris", "context": []}).status_code == 400


def test_an_answer_of_an_old_client(client: TestClient) -> None:
    answer = feedback()["answer"]
    del answer["document_ids"]
    assert post(client, answer={**answer, "document_id": "fc18"}).status_code == 200
    assert client.get("/feedback").json()[0]["answer"]["document_ids"] == ["fc18"]


@pytest.mark.parametrize(
    "changes",
    [
        {"unexpected": 1},
        {"document": None},
        {"document": {"content": "text", "unexpected": 1}},
        {"origin": "me"},
        {"is_correct_answer": "perhaps"},
        {"answer": "berlin"},
        {"meta": []},
        {"query": None},
    ],
)
def test_refused(client: TestClient, changes: dict[str, Any]) -> None:
    response = post(client, **changes)
    assert response.status_code == 422
    assert response.json()["errors"]
    assert client.get("/feedback").json() == []


def test_delete_leaves_other_labels(client: TestClient) -> None:
    post(client, id="gold", origin="gold-label")
    assert client.delete("/feedback").status_code == 200
    post(client, id="1")
    assert len(client.get("/feedback").json()) == 2
    assert client.delete("/feedback").status_code == 200
    assert [label["id"] for label in client.get("/feedback").json()] == ["gold"]


def test_metrics(client: TestClient) -> None:
    empty = {"answer_accuracy": None, "document_accuracy": None, "n_feedback": 0}
    assert client.post("/eval-feedback").json() == empty
    post(client, id="1")
    post(client, id="2", is_correct_answer=False)
    post(client, id="3", is_correct_answer=False, is_correct_document=False, query="where?")
    post(client, id="gold", origin="gold-label")
    metrics = client.post("/eval-feedback").json()
    assert metrics == {"answer_accuracy": 1 / 3, "document_accuracy": 2 / 3, "n_feedback": 3}
    assert client.post("/eval-feedback", json={"filters": {"query": ["where?"]}}).json()["n_feedback"] == 1
    assert client.post("/eval-feedback", json={"filters": {"document_id": ["fc18"]}}).json()["n_feedback"] == 3
    assert client.post("/eval-feedback", json={"filters": {"name": ["other"]}}).json() == empty
    for filters in (
        {"query": "where?"},
        {"query": {"$eq": "where?"}},
        {"$and": {"query": "where?", "is_correct_answer": False}},
        {"$not": {"is_correct_document": True}},
    ):
        assert client.post("/eval-feedback", json={"filters": filters}).json()["n_feedback"] == 1
    for refused in ({"query": {"$regex": "where"}}, {"$and": []}, {"query": {"$gt": 5}}):
        response = client.post("/eval-feedback", json={"filters": refused})
        assert (response.status_code, bool(response.json()["errors"])) == (400, True)


@pytest.mark.parametrize(
    "params",
    [
        {"full_document_context": "true"},
        {"full_document_context": "false", "context_size": "50"},
        {"full_document_context": "false", "context_size": "3"},
        {"full_document_context": "false", "context_size": "50000"},
    ],
)
def test_export(client: TestClient, params: dict[str, str]) -> None:
    post(client, id="right")
    post(client, id="wrong answer", is_correct_answer=False)
    post(client, id="wrong document", is_correct_answer=False, is_correct_document=False)
    data = client.get("/export-feedback", params=params).json()["data"]
    entries = {entry["paragraphs"][0]["qas"][0]["id"]: entry["paragraphs"][0] for entry in data}
    assert set(entries) == {"right", "wrong document"}
    question = entries["right"]["qas"][0]
    start = question["answers"][0]["answer_start"]
    assert entries["right"]["context"][start : start + 6] == question["answers"][0]["text"] == "berlin"
    assert question["is_impossible"] is False
    assert entries["wrong document"]["qas"][0] | {"question": ""} == {
        "question": "",
        "id": "wrong document",
        "is_impossible": True,
        "answers": [],
    }
    positive = client.get("/export-feedback", params={**params, "only_positive_labels": "true"}).json()["data"]
    assert len(positive) == 1


@pytest.mark.parametrize("from_the_end", [False, True])
def test_export_leaves_out_misplaced_answers(client: TestClient, from_the_end: bool) -> None:
    start = TEXT.index("berlin", 300) - len(TEXT) if from_the_end else 3
    post(client, answer={**feedback()["answer"], "offsets_in_document": [{"start": start, "end": start + 6}]})
    assert client.get("/export-feedback").json() == {"data": []}


def test_the_exported_context_holds_the_answer() -> None:
    for length in range(1, 12):
        for start in range(length):
            for end in range(start + 1, length + 1):
                for size in range(1, 14):
                    first, last = context_window(start, end, length, size)
                    assert 0 <= first <= start < end <= last <= length
                    assert last - first == min(length, max(size, end - start))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/feedback", feedback()),
        ("GET", "/feedback", None),
        ("DELETE", "/feedback", None),
        ("POST", "/eval-feedback", None),
        ("GET", "/export-feedback", None),
        ("POST", "/documents/get_by_filters", {}),
        ("POST", "/documents/delete_by_filters", {"filters": {"name": "nobody's"}}),
    ],
)
def test_the_limit_answers_503(client: TestClient, method: str, path: str, body: dict[str, Any] | None) -> None:
    """Else those that wait for one who writes could have all threads, and no question would get one."""
    service = client.app.state.service  # type: ignore[attr-defined]
    with ExitStack() as places:
        for _ in range(service.settings.concurrency_limit):
            places.enter_context(service.records.place())
        response = client.request(method, path, json=body)
        assert response.status_code == 503, response.text
        assert client.post("/query", json={"query": "who?"}).status_code == 200
    assert client.request(method, path, json=body).status_code == 200
