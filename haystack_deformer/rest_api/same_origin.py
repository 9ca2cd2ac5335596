"""Requests that other web pages make the browsers of their visitors send are refused."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from haystack_deformer.rest_api.characters import WholeJSONResponse

_READING = ("GET", "HEAD", "OPTIONS")
_OTHER_SITES = ("cross-site", "same-site")
_USUAL_PORTS = {"http": 80, "https": 443}


class SameOriginMiddleware:
    """
    Answers 403 to a request of a web page that is not the server's own, unless it only reads.

    CORS is not enough: without a word to the server about it a browser sends what a form can send, files among it, and
    JSON without its type, and keeps no more than the response from the page. Who is no browser sends neither of the
    headers that this looks at, and may do what it could before.

    :param app: the application.
    :param allowed: origins of web pages that may call, "https://example.org"; "*" is all.
    """

    def __init__(self, app: ASGIApp, allowed: Sequence[str] = ()) -> None:
        self.app = app
        self.allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Work on a request: see ASGI."""
        if scope["type"] == "http" and scope["method"] not in _READING:
            headers = Headers(scope=scope)
            if not self._may_call(headers):
                page = headers.get("origin", "another origin")
                message = (
                    f"A web page of {page} sent this request, and it may not call this server. If it is to, or is the "
                    "server's own behind a proxy that changes the header Host, allow its origin by --cors-origin or "
                    "CORS_ORIGINS."
                )
                await WholeJSONResponse({"errors": [message]}, status_code=403)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _may_call(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if "*" in self.allowed or origin in self.allowed:
            return True
        if (site := headers.get("sec-fetch-site")) is not None:
            # the browser's own word, which no page can set; it is right behind proxies that change Host, too
            return site not in _OTHER_SITES
        # of a server without TLS on another machine browsers do not say it
        return origin is None or _is_at(origin, headers.get("host", ""))


def _is_at(origin: str, host: str) -> bool:
    """Whether an origin is the host that was asked; a proxy may take TLS off, so that the scheme tells nothing."""
    try:
        page, asked = urlsplit(origin), urlsplit(f"//{host}")
        usual = _USUAL_PORTS[page.scheme]
        there, here = (page.hostname, page.port or usual), (asked.hostname, asked.port or usual)
    except (KeyError, ValueError):
        # "null", of a file or a sandbox, or an extension of the browser; or what is no address
        return False
    return page.hostname is not None and there == here
