"""
Haystack v1's REST API over pipelines with our nodes: the same routes, requests and responses.

`haystack-deformer serve --pipeline FILE` starts it. Where the official package `rest_api` is installed,
`uvicorn haystack_deformer.rest_api.official:app` starts that one.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from haystack_deformer.rest_api.settings import ServerSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["ServerSettings", "create_app"]

_EXTRA = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
}


def require_extra() -> None:
    """
    Refuse to go on without the extra's packages.

    :raises ValueError: names what is missing and how to install it.
    """
    missing = [package for module, package in _EXTRA.items() if find_spec(module) is None]
    if missing:
        msg = f'The server needs {", ".join(missing)}: pip install "haystack-deformer[rest]"'
        raise ValueError(msg)


def create_app(settings: ServerSettings | None = None) -> FastAPI:
    """
    Load the pipelines and make the application; also for `uvicorn --factory haystack_deformer.rest_api:create_app`.

    :param settings: None: from the environment variables of Haystack's own server, with its logging.
    :raises ValueError: where the extra is not installed, or a setting cannot be used.
    """
    require_extra()
    from haystack_deformer.rest_api.app import build_app  # noqa: PLC0415  # needs the extra
    from haystack_deformer.rest_api.observing import log_to_stderr  # noqa: PLC0415

    if settings is None:
        settings = ServerSettings.from_environment()
        log_to_stderr()
    return build_app(settings)
