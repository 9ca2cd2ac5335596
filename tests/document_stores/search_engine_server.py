"""The search engine in memory behind HTTP, for the real client: as much of Elasticsearch's API as Haystack asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.document_stores.fake_search_engine import BulkError, EngineError, FakeEngine

SHARDS = {"successful": 1, "total": 1, "skipped": 0}


def search(engine: FakeEngine, index: str, body: dict[str, Any], *, scroll: bool) -> dict[str, Any]:
    # the first page of a scroll has all
    size = len(engine.at("search", index, None).seen) if scroll else int(body.get("size", 10))
    return {**engine.search(index, body["query"], size), "_scroll_id": "1", "_shards": SHARDS}


def bulk(engine: FakeEngine, body: str) -> dict[str, Any]:
    lines, actions = iter(map(json.loads, body.splitlines())), []
    for line in lines:
        [(kind, action)] = line.items()
        content = next(lines)
        source = {"doc": content["doc"]} if kind == "update" else {"_source": content}
        actions.append({**action, "_op_type": kind, **source})
    try:
        engine.bulk(actions, refresh="wait_for")
    except BulkError as error:
        return {"errors": True, "items": error.errors}
    return {"errors": False, "items": [{action["_op_type"]: {"status": 200}} for action in actions]}


def unknown(*_: Any) -> None:
    raise EngineError(400, "no handler found")


ROUTES: dict[str, Callable[[FakeEngine, str, str, bool], Any]] = {
    "GET ": lambda engine, *_: engine.info(),
    "HEAD ": lambda *_: True,
    "HEAD INDEX": lambda engine, index, *_: engine.indices.exists(index),
    "GET INDEX": lambda engine, index, *_: engine.indices.get(index),
    "PUT INDEX": lambda engine, index, body, _: engine.indices.create(index, json.loads(body)["mappings"]),
    "PUT INDEX/_mapping": lambda engine, index, body, _: engine.indices.put_mapping(index, json.loads(body)),
    "POST INDEX/_refresh": lambda engine, index, *_: engine.indices.refresh(index),
    "POST INDEX/_count": lambda engine, index, body, _: engine.count(index, json.loads(body)),
    "POST INDEX/_search": lambda engine, index, body, scroll: search(engine, index, json.loads(body), scroll=scroll),
    "POST INDEX/_delete_by_query": lambda engine, index, body, _: engine.delete_by_query(index, json.loads(body), []),
    "PUT _bulk": lambda engine, _, body, __: bulk(engine, body),
    "POST _bulk": lambda engine, _, body, __: bulk(engine, body),
    "POST _search/scroll": lambda *_: {"_scroll_id": "1", "hits": {"hits": []}, "_shards": SHARDS},
    "DELETE _search/scroll": lambda *_: {"succeeded": True},
}
"""Of a method and a path what answers, given the engine, the index, the body, and whether the client will scroll."""


class Handler(BaseHTTPRequestHandler):
    """One request; `engine` is the server's."""

    protocol_version = "HTTP/1.1"
    engine: FakeEngine

    def handle_any(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        index, _, rest = url.path.strip("/").partition("/")
        path = url.path.strip("/") if index.startswith("_") or not index else f"INDEX/{rest}".rstrip("/")
        try:
            route = ROUTES.get(f"{self.command} {path}", unknown)
            answer = route(self.engine, index, body, "scroll" in parse_qs(url.query))
            status = 404 if answer is False else 200
        except EngineError as error:
            status, answer = error.status_code, {"error": str(error), "status": error.status_code}
        content = json.dumps(answer).encode()
        self.send_response(status)
        # without it the client takes the server for another product
        self.send_header("X-Elastic-Product", "Elasticsearch")
        # the client of version 8 wants its own type back
        self.send_header("Content-Type", self.headers.get("Accept") or "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any  # noqa: N815  # the parent's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the parent's name
        """Write nothing to stderr."""


@contextmanager
def serving(engine: FakeEngine) -> Iterator[int]:
    """
    Serve an engine while the block runs.

    :param engine: in memory.
    :return: the port, on this machine.
    """
    handler = type("EngineHandler", (Handler,), {"engine": engine})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
