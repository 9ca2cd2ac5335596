"""
Questions while documents are written and deleted: how long for, and by how many, is in the environment.

`LOAD_SECONDS=120 LOAD_CLIENTS=16 LOAD_REPORT=load.json pytest integration_tests/test_load.py` is the long version.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from integration_tests.server import Server
from tests.conftest import WORDS

SECONDS = float(os.environ.get("LOAD_SECONDS", "12"))
CLIENTS = int(os.environ.get("LOAD_CLIENTS", "6"))
REPORT = os.environ.get("LOAD_REPORT")


@dataclass
class Version:
    """
    A text under a name, and when a question may have met it.

    :param begin: before the upload was sent.
    :param end: when the delete was acknowledged.
    """

    text: str
    begin: float
    end: float = float("inf")


@dataclass
class Ledger:
    """What was true when, and what went wrong."""

    versions: dict[str, list[Version]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str, response: httpx.Response) -> bool:
        with self.lock:
            self.statuses[f"{what} {response.status_code}"] += 1
            if response.status_code not in (200, 503):
                self.wrong.append(f"{what}: {response.status_code} {response.text[:300]}")
        return response.status_code == 200

    def check(self, body: dict[str, Any], begin: float, end: float) -> None:
        documents = {document["id"]: document for document in body["documents"]}
        with self.lock:
            for document in body["documents"]:
                versions = list(self.versions.get(document["meta"].get("name"), ()))
                fitting = [v for v in versions if v.text == document["content"] and v.begin <= end and v.end >= begin]
                if not fitting:
                    self.wrong.append(f"deleted or stale: {document}")
        for answer in body["answers"]:
            source = documents[answer["document_ids"][0]]
            span = answer["offsets_in_document"][0]
            if source["content"][span["start"] : span["end"]] != answer["answer"]:
                self.wrong.append(f"misplaced: {answer}")


def write(server: Server, ledger: Ledger, number: int, stop: float) -> None:
    """Upload, replace and delete documents of its own."""
    rng = random.Random(number)
    names = [f"writer-{number}-{i}.txt" for i in range(6)]
    with server.client() as client:
        while time.monotonic() < stop:
            name = rng.choice(names)
            versions = ledger.versions.setdefault(name, [])
            if versions and versions[-1].end == float("inf"):
                deleted = client.post("/documents/delete_by_filters", json={"filters": {"name": name}})
                if ledger.count("delete", deleted):
                    versions[-1].end = time.monotonic()
                if rng.random() < 0.4:
                    continue
            text = f"{name} " + " ".join(rng.choices(WORDS, k=rng.randrange(20, 300))) + f" {rng.random()}"
            version = Version(text, time.monotonic())
            with ledger.lock:
                versions.append(version)
            if not ledger.count("upload", server.upload(client, name, text)):
                # refused: it never was there
                version.end = version.begin
                time.sleep(0.05)


def ask(server: Server, ledger: Ledger, number: int, stop: float) -> None:
    rng = random.Random(1_000 + number)
    with server.client() as client:
        while time.monotonic() < stop:
            question = " ".join(rng.choices(WORDS, k=6))
            begin = time.monotonic()
            response = client.post(
                "/query", json={"query": question, "params": {"Retriever": {"top_k": rng.choice([3, 10, 50])}}}
            )
            end = time.monotonic()
            if ledger.count("query", response):
                ledger.seconds.append(end - begin)
                ledger.check(response.json(), begin, end)
            else:
                time.sleep(0.05)


def guarded(ledger: Ledger, *work: Any) -> threading.Thread:
    def run() -> None:
        function, *arguments = work
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001  # told by the test's own thread
            ledger.wrong.append(repr(error))

    return threading.Thread(target=run)


def test_questions_while_documents_come_and_go(start_server: Any) -> None:
    server = start_server().wait()
    ledger = Ledger()
    writers = max(2, CLIENTS // 4)
    stop = time.monotonic() + SECONDS
    threads = [guarded(ledger, write, server, ledger, number, stop) for number in range(writers)]
    threads += [guarded(ledger, ask, server, ledger, number, stop) for number in range(CLIENTS - writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 120)
    assert not any(thread.is_alive() for thread in threads)
    assert not ledger.wrong, ledger.wrong[:5]
    expected = {
        name: versions[-1].text
        for name, versions in ledger.versions.items()
        if versions and versions[-1].end == float("inf")
    }
    assert server.documents() == expected
    with server.client() as client:
        everything = {"Retriever": {"top_k": 1000}}
        response = client.post("/query", json={"query": "what is the capital?", "params": everything})
        assert {d["meta"]["name"]: d["content"] for d in response.json()["documents"]} == expected
        assert f'"{len(expected)} found and 0 computed"' in response.headers["server-timing"] or not expected
    assert list(server.uploads.iterdir()) == []
    assert ledger.statuses["query 200"] > 0
    assert ledger.statuses["upload 200"] > 0
    assert ledger.statuses["delete 200"] > 0
    server.stop()
    if REPORT:
        milliseconds = np.array(ledger.seconds) * 1000
        figures = {
            "seconds": SECONDS,
            "clients": CLIENTS,
            "writers": writers,
            "statuses": dict(ledger.statuses),
            "query milliseconds": {str(q): round(float(np.percentile(milliseconds, q)), 1) for q in (50, 95, 99, 100)},
        }
        Path(REPORT).write_text(json.dumps(figures, indent=2), encoding="utf-8")
