"""Requests that are too large are refused before they are held in memory."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from haystack_deformer.rest_api.characters import WholeJSONResponse
from haystack_deformer.rest_api.settings import MEGABYTE

_DRAINED = 64 * MEGABYTE
"""Bytes of a refused request that are read and dropped: most clients read no answer before they have sent all."""


class BodyLimitMiddleware:
    """
    Answers 413 to a request whose body is too large.

    :param app: the application.
    :param limit: bytes of a request.
    :param larger: bytes for some paths.
    """

    def __init__(self, app: ASGIApp, limit: int, larger: dict[str, int]) -> None:
        self.app = app
        self.limit = limit
        self.larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Work on a request: see ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # behind a proxy that keeps a prefix the path has it too, and one with a slash too many is led to the right one
        path = scope["path"].removeprefix(scope.get("root_path", "")).removesuffix("/")
        limit = self.larger.get(path, self.limit)
        message = f"The request is larger than the {limit // MEGABYTE} MB that this server takes."
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > limit:
            if int(declared) <= _DRAINED:
                while (await receive()).get("more_body"):
                    pass
            await WholeJSONResponse({"errors": [message]}, status_code=413)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            part = await receive()
            received += len(part.get("body", b""))
            if received > limit:
                raise HTTPException(413, message)
            return part

        await self.app(scope, counted, send)
