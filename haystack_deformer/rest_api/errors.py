"""Errors in the shape of Haystack's REST API: `{"errors": [...]}`."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from haystack_deformer.rest_api.characters import WholeJSONResponse
from haystack_deformer.rest_api.observing import SCOPE_KEY
from haystack_deformer.rest_api.record import RequestRecord

logger = logging.getLogger(__name__)


def add_error_handlers(app: FastAPI) -> None:
    """
    Give an application the handlers.

    :param app: the application.
    """
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(Exception, _server_error)


async def _http_error(request: Request, error: Any) -> WholeJSONResponse:  # noqa: ARG001  # Starlette's signature
    return WholeJSONResponse({"errors": [error.detail]}, status_code=error.status_code, headers=error.headers)


async def _validation_error(request: Request, error: Any) -> WholeJSONResponse:  # noqa: ARG001
    # Haystack's own server leaves these to FastAPI, whose clients look for "detail": both are there. What was sent is
    # not repeated, as FastAPI would: it may be large, or no JSON at all.
    detail = [{"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]} for e in error.errors()]
    errors = [f"{'.'.join(str(part) for part in entry['loc'])}: {entry['msg']}" for entry in detail]
    return WholeJSONResponse({"errors": errors, "detail": detail}, status_code=422)


async def _server_error(request: Request, error: Exception) -> WholeJSONResponse:
    # the traceback is in the server's log, and none of it in the response
    record = request.scope.get(SCOPE_KEY) or RequestRecord()
    # uvicorn writes the traceback after this, without the id
    logger.error("The request %s failed: %s: %s", record.id, type(error).__name__, error)
    message = f"The server failed on this request. Its log says why, by the request id {record.id}."
    return WholeJSONResponse({"errors": [message]}, status_code=500, headers={"X-Request-ID": record.id})
