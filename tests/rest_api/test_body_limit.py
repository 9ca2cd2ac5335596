"""Which requests are too large."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from haystack_deformer.rest_api.body_limit import BodyLimitMiddleware


@pytest.mark.parametrize("root_path", ["", "/qa"])
@pytest.mark.parametrize("prefix", ["", "/qa"])
def test_paths_that_take_more_with_a_proxys_prefix_and_without(root_path: str, prefix: str) -> None:
    app = FastAPI(root_path=root_path)

    @app.post("/{path:path}")
    async def length(request: Request) -> int:
        return len(await request.body())

    app.add_middleware(BodyLimitMiddleware, limit=10, larger={"/file-upload": 100})
    client = TestClient(app)
    taken = prefix in ("", root_path)
    for path in ("/file-upload", "/file-upload/"):
        assert client.post(prefix + path, content=b"x" * 50).status_code == (200 if taken else 413)
    assert client.post(f"{prefix}/query", content=b"x" * 50).status_code == 413
    assert client.post(f"{prefix}/query", content=b"x" * 10).json() == 10
