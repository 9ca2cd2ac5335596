"""The application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute
from haystack import __version__ as haystack_version
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from haystack_deformer.rest_api.body_limit import BodyLimitMiddleware
from haystack_deformer.rest_api.characters import WholeJSONResponse
from haystack_deformer.rest_api.errors import add_error_handlers
from haystack_deformer.rest_api.observing import ObservingMiddleware
from haystack_deformer.rest_api.routes import documents, feedback, files, health, page, search
from haystack_deformer.rest_api.same_origin import SameOriginMiddleware
from haystack_deformer.rest_api.service import Service
from haystack_deformer.rest_api.settings import MEGABYTE, ServerSettings

_FORM_OVERHEAD = MEGABYTE
_SPARE_THREADS = 28
"""Beside those of questions, uploads and records: with the default limits of 4 each Starlette's own 40 are enough."""


def build_app(settings: ServerSettings) -> FastAPI:
    """
    Load the pipelines and put the routes around them.

    :param settings: of the server.
    :raises ValueError: where another server has the document store.
    :raises HaystackError: where the pipelines cannot be loaded.
    """
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Starlette's 40 would be fewer than the limits let in: the rest would wait, and /health with them, in place of
        # being told that the server is busy
        threads = to_thread.current_default_thread_limiter()
        threads.total_tokens = max(threads.total_tokens, 3 * settings.concurrency_limit + _SPARE_THREADS)
        yield
        service.close()

    app = FastAPI(
        title="Haystack REST API",
        version=haystack_version,
        root_path=settings.root_path,
        lifespan=lifespan,
        default_response_class=WholeJSONResponse,
    )
    app.state.service = service
    for module in (search, feedback, files, documents, health, page):
        app.include_router(module.router)
    for route in app.routes:
        # clients that are generated from the OpenAPI page get functions by these names, as from Haystack's own
        if isinstance(route, APIRoute):
            route.operation_id = route.name
    add_error_handlers(app)
    app.add_middleware(
        BodyLimitMiddleware,
        limit=settings.max_request_megabytes * MEGABYTE,
        larger={"/file-upload": settings.max_upload_megabytes * MEGABYTE + _FORM_OVERHEAD},
    )
    app.add_middleware(SameOriginMiddleware, allowed=settings.cors_origins)
    # around the two above: a page may read what they answer too
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Server-Timing", "X-Request-ID"],
        )
    if settings.allowed_hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.allowed_hosts), www_redirect=False)
    app.add_middleware(ObservingMiddleware, metrics=service.metrics)
    return app
