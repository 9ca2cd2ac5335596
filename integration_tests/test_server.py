"""A server process: killed, started twice, and sent what no client should send."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from typing import Any

import httpx

from tests.conftest import WORDS


def text(number: int, words: int = 400) -> str:
    return f"text number {number}: " + " ".join(WORDS[(number + i) % len(WORDS)] for i in range(words))


def test_killed_during_an_upload(start_server: Any) -> None:
    acknowledged: dict[str, str] = {}
    server = start_server().wait()

    def upload() -> None:
        with server.client() as client:
            for number in range(1_000):
                name = f"{number}.txt"
                try:
                    if server.upload(client, name, text(number)).status_code == 200:
                        acknowledged[name] = text(number)
                except httpx.TransportError:
                    return

    thread = threading.Thread(target=upload)
    thread.start()
    deadline = time.monotonic() + 60
    while len(acknowledged) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.03)
    server.kill()
    thread.join(60)
    assert len(acknowledged) >= 5

    server = start_server().wait()
    documents = server.documents()
    assert acknowledged.items() <= documents.items()
    # at most the one that was on its way
    assert len(documents) <= len(acknowledged) + 1
    with server.client() as client:
        everything = {"Retriever": {"top_k": 1000}, "Reader": {"top_k": 1000}}
        response = client.post("/query", json={"query": "what is the capital?", "params": everything})
        assert {answer["meta"]["name"] for answer in response.json()["answers"]} == set(documents)
        # what was computed before the kill is not computed again
        assert f'states;desc="{len(documents)} found and 0 computed"' in response.headers["server-timing"]
        assert client.post("/documents/delete_by_filters", json={"filters": {}}).status_code == 200
    server.stop()


def test_two_servers_on_one_store(start_server: Any) -> None:
    first = start_server().wait()
    second = start_server()
    assert second.process.wait(180) == 2
    assert "Error: Another server has this document store open" in second.output()
    assert "Traceback" not in second.output()
    with first.client() as client:
        assert first.upload(client, "a.txt", "paris").status_code == 200
    assert set(first.documents()) == {"a.txt"}


def bomb() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 100_000_000)
    return data.getvalue()


def test_what_no_client_should_send(start_server: Any) -> None:
    server = start_server("--max-upload-megabytes", "5").wait()
    as_json = {"Content-Type": "application/json"}
    with server.client() as client:
        assert server.upload(client, "good.txt", "paris is the capital of france").status_code == 200
        refused = [
            client.post("/query", content=b'{"query": "' + b"x" * 10_000_000 + b'"}', headers=as_json),
            client.post("/query", content=b"{", headers=as_json),
            client.post("/query", content=b"\x00\xff", headers=as_json),
            client.post("/query", json={"query": 1}),
            client.post("/query", json={"query": "who?", "other": 1}),
            client.post("/documents/delete_by_filters", json=[]),
            client.post("/documents/delete_by_filters", json={"filters": {"name": {"$oops": 1}}}),
            client.post("/file-upload", content=b"x" * 1_000, headers={"Content-Type": "multipart/form-data"}),
            client.post("/file-upload", files={"files": ("..", b"paris")}),
            client.post("/file-upload", files={"files": ("bomb.zip", bomb())}),
            client.post("/file-upload", files={"files": ("bomb.txt", bomb())}),
            client.post("/file-upload", files={"files": ("binary.txt", bytes(range(256)) * 100)}),
            client.post("/file-upload", files={"files": ("large.txt", b"paris " * 2_000_000)}),
        ]
        for response in refused:
            assert 400 <= response.status_code < 500, response.text
            assert response.json()["errors"]
        assert client.post("/query", json={"query": "who?"}).status_code == 200
    assert set(server.documents()) == {"good.txt"}
    assert list(server.uploads.iterdir()) == []
    server.stop()
    lines = [json.loads(line) for line in server.output().splitlines() if line.startswith("{")]
    assert sum(400 <= line["status"] < 500 for line in lines) == len(refused)
