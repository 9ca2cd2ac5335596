"""What a request did and where its time went: as a header, and as a line of the log."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from time import perf_counter
from typing import Any

from haystack_deformer.inference import Reading

_IDS_LOGGED = 20


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


def _token(name: str) -> str:
    return "".join(character if character.isascii() and character.isalnum() else "-" for character in name)
