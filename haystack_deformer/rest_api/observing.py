"""Every request gets a record, and is reported when it is done: a JSON line in the log, and metrics."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from time import perf_counter

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from haystack_deformer.rest_api.metrics import Metrics
from haystack_deformer.rest_api.record import RequestRecord

logger = logging.getLogger("haystack_deformer.requests")
"""One JSON object a line at INFO. No question and no text is logged."""

SCOPE_KEY = "haystack_deformer.record"
"""Where error handlers find a request's record: they run outside of the middleware that made it."""

_current: ContextVar[RequestRecord | None] = ContextVar("request", default=None)


def current_record() -> RequestRecord:
    """The record of the request that this thread works on; outside of one, a record that nobody reads."""
    return _current.get() or RequestRecord()


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
