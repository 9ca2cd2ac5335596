"""What each request did and where its time went: a JSON line in the log, and metrics for Prometheus."""

from __future__ import annotations

import json
import logging
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timezone
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from haystack_deformer.inference import Reading

logger = logging.getLogger("haystack_deformer.requests")
"""One JSON object a line at INFO. No question and no text is logged."""

_IDS_LOGGED = 20
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


@dataclass
class RequestRecord:
    """
    One request as it is worked on.

    :param id: in the log line and in the header X-Request-ID.
    :param stages: seconds by node of the pipeline, in the order in which they ran.
    :param parts: seconds by part of reading.
    :param found: passages whose states were in the store.
    :param computed: passages whose states were not.
    :param counts: of what came and what goes: documents, answers, files.
    :param document_ids: of the documents that answers are from, or that were written.
    :param failed: the node that raised.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    stages: dict[str, float] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    found: int = 0
    computed: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    document_ids: list[str] = field(default_factory=list)
    failed: str | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """
        Add what the block takes to a stage.

        :param name: of a node.
        """
        begin = perf_counter()
        try:
            yield
        except Exception:
            self.failed = self.failed or name
            raise
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + perf_counter() - begin

    def add_readings(self, readings: list[Reading]) -> None:
        """
        Take in what the readers did.

        :param readings: of this request.
        """
        for reading in readings:
            self.found += reading.found
            self.computed += reading.computed
            for part, seconds in vars(reading.timings).items():
                self.parts[part] = self.parts.get(part, 0.0) + seconds

    def server_timing(self) -> str:
        """The header Server-Timing, which browsers show and the page at / reads; bodies stay as Haystack has them."""
        entries = [f"{_token(name)};dur={seconds * 1000:.1f}" for name, seconds in self.stages.items()]
        entries += [f"reader-{name};dur={seconds * 1000:.1f}" for name, seconds in self.parts.items()]
        if self.parts:
            entries.append(f'states;desc="{self.found} found and {self.computed} computed"')
        return ", ".join(entries)

    def line(self, method: str, path: str, status: int, seconds: float) -> dict[str, Any]:
        """
        The log line.

        :param method: of HTTP.
        :param path: of the route, not of the request: it names no one.
        :param status: of HTTP.
        :param seconds: in all.
        """
        line: dict[str, Any] = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "request_id": self.id,
            "method": method,
            "route": path,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
        }
        if self.stages:
            line["stages"] = {name: round(value * 1000, 1) for name, value in self.stages.items()}
        if self.parts:
            line["reader"] = {name: round(value * 1000, 1) for name, value in self.parts.items()}
            line["states"] = {"found": self.found, "computed": self.computed}
        line.update(self.counts)
        if self.document_ids:
            line["document_ids"] = self.document_ids[:_IDS_LOGGED]
        if self.failed:
            line["failed"] = self.failed
        return line


SCOPE_KEY = "haystack_deformer.record"
"""Where error handlers find a request's record: they run outside of the middleware that made it."""

_current: ContextVar[RequestRecord | None] = ContextVar("request", default=None)


def current_record() -> RequestRecord:
    """The record of the request that this thread works on; outside of one, a record that nobody reads."""
    return _current.get() or RequestRecord()


class Metrics:
    """Prometheus' metrics, in a registry of their own: a process may have several applications."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        prefix = "haystack_deformer"
        self.requests = Counter(
            f"{prefix}_requests", "Requests.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            f"{prefix}_request_seconds", "Time of a request.", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.stages = Histogram(
            f"{prefix}_stage_seconds", "Time of a pipeline's node.", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        self.parts = Counter(
            f"{prefix}_reader_seconds", "Time of the parts of reading.", ["part"], registry=self.registry
        )
        self.passages = Counter(
            f"{prefix}_passages",
            "Passages read, by whether their states were stored.",
            ["states"],
            registry=self.registry,
        )
        self.in_progress = Gauge(f"{prefix}_requests_in_progress", "Requests at this moment.", registry=self.registry)

    def add(self, record: RequestRecord, method: str, route: str, status: int, seconds: float) -> None:
        """
        Count a request.

        :param record: what it did.
        :param method: of HTTP.
        :param route: its path as the application declares it.
        :param status: of HTTP.
        :param seconds: in all.
        """
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
        for stage, value in record.stages.items():
            self.stages.labels(stage).observe(value)
        for part, value in record.parts.items():
            self.parts.labels(part).inc(value)
        if record.parts:
            self.passages.labels("found").inc(record.found)
            self.passages.labels("computed").inc(record.computed)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)


class ObservingMiddleware:
    """
    Gives every request its record, and reports it.

    :param app: the application.
    :param metrics: where requests are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Work on a request: see ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record = scope[SCOPE_KEY] = RequestRecord()
        status = 500
        begin = perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = record.id
                if timing := record.server_timing():
                    headers["Server-Timing"] = timing
            await send(message)

        token = _current.set(record)
        try:
            with self.metrics.in_progress.track_inprogress():
                await self.app(scope, receive, send_with_headers)
        finally:
            _current.reset(token)
            seconds = perf_counter() - begin
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in ("GET", "POST", "DELETE", "HEAD", "OPTIONS") else "other"
            self.metrics.add(record, method, route, status, seconds)
            logger.info(json.dumps(record.line(method, route, status, seconds)))


def log_to_stderr() -> None:
    """Write the lines to stderr as they are, and not a second time by the root logger."""
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _token(name: str) -> str:
    return "".join(character if character.isascii() and character.isalnum() else "-" for character in name)
