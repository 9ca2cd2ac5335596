"""Web pages of other origins: what they can make a browser send is refused before anything is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from haystack_deformer.rest_api import ServerSettings, create_app
from haystack_deformer.rest_api.same_origin import SameOriginMiddleware

EVIL = "https://evil.example"


def contents(client: TestClient) -> set[str]:
    return {document["content"] for document in client.post("/documents/get_by_filters", json={}).json()}


def application(*allowed: str) -> TestClient:
    app = FastAPI()

    @app.api_route("/", methods=["GET", "POST", "DELETE", "PUT"])
    async def done() -> bool:
        return True

    app.add_middleware(SameOriginMiddleware, allowed=allowed)
    return TestClient(app, base_url="http://qa.example:8000")


def test_what_a_page_sends_without_asking(uploaded: TestClient) -> None:
    """A body without a type and a form: a browser asks the server about neither before it sends them."""
    before = contents(uploaded)
    for headers in ({"Origin": EVIL}, {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        responses = [
            uploaded.post("/documents/delete_by_filters", content='{"filters": {}}', headers=headers),
            uploaded.post("/file-upload", files={"files": ("evil.txt", b"evil")}, headers=headers),
            uploaded.delete("/feedback", headers=headers),
        ]
        for response in responses:
            assert response.status_code == 403, response.text
            [error] = response.json()["errors"]
            assert "--cors-origin" in error
            assert "x-request-id" in response.headers
    assert contents(uploaded) == before != set()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://qa.example:8000"},
        {"Origin": "http://QA.example:8000", "Sec-Fetch-Site": "same-origin"},
        # a proxy took TLS off
        {"Origin": "https://qa.example", "Host": "qa.example"},
        {"Origin": "https://qa.example", "Host": "qa.example:443"},
        {"Origin": "http://[::1]:8000", "Host": "[::1]:8000"},
        {"Sec-Fetch-Site": "none"},
        # a proxy changed Host
        {"Origin": "https://qa.example", "Sec-Fetch-Site": "same-origin", "Host": "backend:8000"},
    ],
    ids=str,
)
def test_its_own_page_and_programs(headers: dict[str, str]) -> None:
    assert application().post("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "http://qa.example"},
        {"Origin": "http://qa.example:8001"},
        {"Origin": "http://qa.example.evil.example:8000"},
        {"Origin": "ftp://qa.example:8000"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://"},
        {"Origin": "http://[qa.example:8000"},
        {"Origin": "http://qa.example:port"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://qa.example:8000"},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_other_pages(method: str, headers: dict[str, str]) -> None:
    client = application()
    assert client.request(method, "/", headers=headers).status_code == 403
    assert client.get("/", headers=headers).status_code == 200


def test_pages_that_are_allowed() -> None:
    headers = {"Origin": "https://good.example", "Sec-Fetch-Site": "cross-site"}
    assert application("https://good.example").post("/", headers=headers).status_code == 200
    assert application("*").post("/", headers=headers).status_code == 200
    assert application("https://good.example").post("/", headers={**headers, "Origin": EVIL}).status_code == 403


def test_settings(write_pipelines: Any, tmp_path: Path) -> None:
    good = "https://good.example"
    settings = ServerSettings(
        pipeline=write_pipelines(tmp_path, "memory"),
        cors_origins=(good,),
        allowed_hosts=("testserver", "*.example.org"),
        max_request_megabytes=1,
    )
    with TestClient(create_app(settings)) as client:
        response = client.post("/documents/get_by_filters", json={}, headers={"Origin": good})
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == good
        assert response.headers["access-control-expose-headers"] == "Server-Timing, X-Request-ID"
        assert client.post("/documents/get_by_filters", json={}, headers={"Origin": EVIL}).status_code == 403
        # what is refused on the way in can be read by the page too
        response = client.post("/query", content=b"x" * 2_000_000, headers={"Origin": good})
        assert (response.status_code, response.headers["access-control-allow-origin"]) == (413, good)
        for host, status in (("qa.example.org", 200), ("qa.example.org:8000", 200), ("evil.example", 400)):
            assert client.get("/initialized", headers={"Host": host}).status_code == status
