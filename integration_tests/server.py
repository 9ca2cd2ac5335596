"""A server in a process of its own, on this machine's loopback alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

STARTING = 180.0
"""Seconds; importing torch and Haystack takes most of them on a busy machine."""


class Server:
    """
    `haystack-deformer serve` on a free port.

    :param pipeline: YAML file.
    :param folder: for its log and its uploads.
    :param options: of the command.
    """

    def __init__(self, pipeline: Path, folder: Path, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uploads = folder / "uploads"
        self.log = folder / f"server-{self.port}.log"
        command = [
            *(sys.executable, "-m", "haystack_deformer.cli", "serve", "--pipeline", str(pipeline)),
            *("--port", str(self.port), "--file-upload-path", str(self.uploads), *options),
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                # a group of its own, so that all of it can be killed
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> Server:
        """Until it answers."""
        deadline = time.monotonic() + STARTING
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output()
            try:
                if httpx.get(f"{self.url}/initialized", timeout=1).json() is True:
                    return self
            except httpx.TransportError:
                time.sleep(0.2)
        raise AssertionError(self.output())

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60)

    def upload(self, client: httpx.Client, name: str, text: str) -> httpx.Response:
        return client.post("/file-upload", files={"files": (name, text.encode())})

    def documents(self, **filters: Any) -> dict[str, str]:
        """Contents by name."""
        with self.client() as client:
            found = client.post("/documents/get_by_filters", json={"filters": filters}).json()
        return {document["meta"]["name"]: document["content"] for document in found}

    def kill(self) -> None:
        """At once, as the kernel does when memory runs out."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> None:
        """As a service manager does."""
        self.process.terminate()
        # uvicorn ends by the signal itself, when it has shut down
        assert self.process.wait(60) in (0, -signal.SIGTERM)
        assert "Application shutdown complete" in self.output()

    def output(self) -> str:
        return self.log.read_text(errors="replace")
