"""What the server is told, by the command line or by the environment variables of Haystack's own server."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haystack_deformer.parameters import as_int

MEGABYTE = 1_000_000
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\sA-Z]+|null")
"""Of a web page, or of a browser's extension."""
_COUNTS = ("concurrency_limit", "max_upload_megabytes", "max_upload_documents", "max_request_megabytes")


def _text(_: str, value: str) -> str:
    return value


def _path(_: str, value: str) -> Path:
    return Path(value)


def _names(_: str, value: str) -> tuple[str, ...]:
    return tuple(value.split())


_VARIABLES: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "pipeline": ("PIPELINE_YAML_PATH", _path),
    "query_pipeline": ("QUERY_PIPELINE_NAME", _text),
    "indexing_pipeline": ("INDEXING_PIPELINE_NAME", _text),
    "file_upload_path": ("FILE_UPLOAD_PATH", _path),
    "concurrency_limit": ("CONCURRENT_REQUEST_PER_WORKER", as_int),
    "max_upload_megabytes": ("MAX_UPLOAD_MEGABYTES", as_int),
    "max_upload_documents": ("MAX_UPLOAD_DOCUMENTS", as_int),
    "max_request_megabytes": ("MAX_REQUEST_MEGABYTES", as_int),
    "root_path": ("ROOT_PATH", _text),
    "cors_origins": ("CORS_ORIGINS", _names),
    "allowed_hosts": ("ALLOWED_HOSTS", _names),
}
"""For each setting its variable, and what makes the setting of the variable's name and text."""


@dataclass(frozen=True)
class ServerSettings:
    """
    Settings of one server process.

    :param pipeline: YAML file with the pipelines.
    :param query_pipeline: name of the one that answers.
    :param indexing_pipeline: name of the one that takes in files; where the file has none, uploads are answered by 501.
    :param file_upload_path: folder for files while they are indexed, and of those that are to be kept; None: a
        temporary one.
    :param concurrency_limit: questions that are worked on at once, as many uploads, and as many requests for feedback
        and documents; more are answered by 503.
    :param max_upload_megabytes: of one upload, all files together.
    :param max_upload_documents: that one upload may be split into.
    :param max_request_megabytes: of any other request.
    :param root_path: where a proxy serves the application, "/qa" for example.
    :param cors_origins: web pages that may call the API from a browser, "https://example.org"; none: only its own.
    :param allowed_hosts: names that the server may be asked by, "qa.example.org", "*.example.org"; none: any.
    :raises ValueError: for a value that cannot be used.
    """

    pipeline: Path
    query_pipeline: str = "query"
    indexing_pipeline: str = "indexing"
    file_upload_path: Path | None = None
    concurrency_limit: int = 4
    max_upload_megabytes: int = 100
    max_upload_documents: int = 200_000
    max_request_megabytes: int = 2
    root_path: str = ""
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in _COUNTS:
            object.__setattr__(self, name, as_int(name, getattr(self, name)))
        # Haystack's default is "/", which newer releases of FastAPI put in front of every path
        object.__setattr__(self, "root_path", self.root_path.rstrip("/"))
        for origin in self.cors_origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                msg = (
                    f"cors_origins has {origin!r}: give it as browsers send it, https://example.org, in lower case, "
                    "with a port where it has one, and nothing after it."
                )
                raise ValueError(msg)
        for host in self.allowed_hosts:
            if host != "*" and set("*:/") & set(host.removeprefix("*.")):
                msg = f"allowed_hosts has {host!r}: give a name as qa.example.org, or *.example.org for all below it."
                raise ValueError(msg)
        if not self.pipeline.is_file():
            msg = f"There is no pipeline file {str(self.pipeline)!r}: give the YAML file with the pipelines."
            raise ValueError(msg)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> ServerSettings:
        """
        Read the variables of Haystack's own server, and CORS_ORIGINS, ALLOWED_HOSTS, MAX_UPLOAD_MEGABYTES,
        MAX_UPLOAD_DOCUMENTS and MAX_REQUEST_MEGABYTES.

        :param environment: None: that of the process.
        :raises ValueError: where PIPELINE_YAML_PATH is missing, or a value cannot be used.
        """
        env = os.environ if environment is None else environment
        if not env.get("PIPELINE_YAML_PATH"):
            msg = "The environment variable PIPELINE_YAML_PATH is missing: it names the YAML file with the pipelines."
            raise ValueError(msg)
        # an empty variable says nothing, as on the command line
        given = {
            name: read(variable, env[variable]) for name, (variable, read) in _VARIABLES.items() if env.get(variable)
        }
        return cls(**given)
