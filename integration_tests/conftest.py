"""The unit tests' tiny models serve here as well, and pipelines over them in a server process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.server import Server
from tests.conftest import *  # noqa: F403
from tests.rest_api.conftest import tiny_sentence_encoder, write_pipelines  # noqa: F401


@pytest.fixture
def start_server(tmp_path: Path, write_pipelines: Any) -> Iterator[Any]:  # noqa: F811
    """A factory of servers over one store; none outlives the test."""
    servers: list[Server] = []
    pipeline = write_pipelines(tmp_path)

    def start(*options: str) -> Server:
        servers.append(Server(pipeline, tmp_path, *options))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()
