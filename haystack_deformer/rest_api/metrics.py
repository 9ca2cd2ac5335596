"""Requests counted for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from haystack_deformer.rest_api.record import RequestRecord

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class Metrics:
    """Prometheus' metrics, in a registry of their own: a process may have several applications."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        prefix = "haystack_deformer"
        self.requests = Counter(
            f"{prefix}_requests", "Requests.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            f"{prefix}_request_seconds", "Time of a request.", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.stages = Histogram(
            f"{prefix}_stage_seconds", "Time of a pipeline's node.", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        self.parts = Counter(
            f"{prefix}_reader_seconds", "Time of the parts of reading.", ["part"], registry=self.registry
        )
        self.passages = Counter(
            f"{prefix}_passages",
            "Passages read, by whether their states were stored.",
            ["states"],
            registry=self.registry,
        )
        self.in_progress = Gauge(f"{prefix}_requests_in_progress", "Requests at this moment.", registry=self.registry)

    def add(self, record: RequestRecord, method: str, route: str, status: int, seconds: float) -> None:
        """
        Count a request.

        :param record: what it did.
        :param method: of HTTP.
        :param route: its path as the application declares it.
        :param status: of HTTP.
        :param seconds: in all.
        """
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
        for stage, value in record.stages.items():
            self.stages.labels(stage).observe(value)
        for part, value in record.parts.items():
            self.parts.labels(part).inc(value)
        if record.parts:
            self.passages.labels("found").inc(record.found)
            self.passages.labels("computed").inc(record.computed)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)
