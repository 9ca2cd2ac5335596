"""The page at /, in a browser where there is one."""

from __future__ import annotations

import contextlib
import html
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import uvicorn
from fastapi.testclient import TestClient

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

EVIL = '<img src=x onerror="document.title=1"> \U0001d4b3\U0001d4b4 <script>alert(2)</script> the capital & the river'


def test_the_page_is_whole(client: TestClient) -> None:
    response = client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    # nothing is loaded from elsewhere, and no text becomes HTML
    assert re.findall(r"(?:https?:)?//[a-z]", response.text) == []
    assert "innerHTML" not in response.text
    assert "outerHTML" not in response.text


@pytest.fixture
def address(served: TestClient) -> Iterator[str]:
    config = uvicorn.Config(served.app, host="127.0.0.1", port=0, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


def browse(url: str, folder: Path, *options: str) -> str:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *(f"--user-data-dir={folder}", "--virtual-time-budget=20000", *options, url),
    ]
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
    pytest.fail(f"Chromium did not end: {command}")


def test_a_question_in_a_browser(client: TestClient, address: str, tmp_path: Path) -> None:
    assert client.post("/file-upload", files={"files": ("<b>evil.txt", EVIL.encode())}).status_code == 200
    question = "what is <i>the</i> capital?"
    [answer, *_] = client.post("/query", json={"query": question}).json()["answers"]
    page = browse(f"{address}/?question={quote(question)}", tmp_path, "--dump-dom")
    assert "<title>Ask the documents</title>" in page
    articles = re.findall(r"<article>(.*?)</article>", page, flags=re.DOTALL)
    assert len(articles) == len(client.post("/query", json={"query": question}).json()["answers"])
    assert html.unescape(re.findall(r"<h2>(.*?)</h2>", articles[0], flags=re.DOTALL)[0]) == answer["answer"]
    assert html.unescape(re.findall(r"<mark>(.*?)</mark>", articles[0], flags=re.DOTALL)[0]) == answer["answer"]
    passage = re.findall(r"<p>(.*?)</p>", articles[0], flags=re.DOTALL)[0]
    assert html.unescape(re.sub(r"</?mark>", "", passage)) == EVIL
    assert "&lt;b&gt;evil.txt" in articles[0]
    assert re.search(r"upper layers [0-9.]+ ms", page)
    assert "stored states: 1 found and 0 computed" in page
    assert "1 passage" in page


def test_an_error_in_a_browser(client: TestClient, address: str, tmp_path: Path) -> None:
    page = browse(f"{address}/?question={'x' * 10_001}", tmp_path, "--dump-dom")
    assert "10000 characters" in page
    assert "<article>" not in page
