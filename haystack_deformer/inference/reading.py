"""What reading returns: spans, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from haystack_deformer.reading import TextSpan


@dataclass
class ReadingTimings:
    """
    Seconds that each part of reading took.

    :param question: lower layers over the questions; the disk is asked for the passages' states before.
    :param read: keys, one batched read of the store, decoding; what the question hides of it is left out.
    :param compute: lower layers over passages that the store did not have.
    :param upper: upper layers.
    :param spans: logits to spans.
    """

    question: float = 0.0
    read: float = 0.0
    compute: float = 0.0
    upper: float = 0.0
    spans: float = 0.0

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """
        Add what the block takes to a part.

        :param part: its name.
        """
        begin = perf_counter()
        yield
        setattr(self, part, getattr(self, part) + perf_counter() - begin)


@dataclass
class Reading:
    """
    What was read for some pairs of a question and a passage.

    :param spans: for each pair the best spans of the passage, best first; none where the passage has no text.
    :param found: passages whose states were in the store.
    :param computed: passages whose states were not, and were made for this reading alone.
    :param timings: seconds.
    """

    spans: list[list[TextSpan]]
    found: int = 0
    computed: int = 0
    timings: ReadingTimings = field(default_factory=ReadingTimings)

    def summary(self) -> dict[str, Any]:
        """Passages found and computed, and the milliseconds of each part."""
        milliseconds = {part: seconds * 1000 for part, seconds in vars(self.timings).items()}
        return {"found": self.found, "computed": self.computed, "milliseconds": milliseconds}


_collected: ContextVar[list[Reading] | None] = ContextVar("readings", default=None)


@contextmanager
def collect_readings() -> Iterator[list[Reading]]:
    """
    Gather what readers read in this thread while the block runs: a pipeline hands on their answers alone.

    Of two blocks, one in the other, both gather what is read in the inner one.

    ```python
    with collect_readings() as readings:
        pipeline.run(query="Who signed the treaty?")
    print([reading.summary() for reading in readings])
    ```
    """
    readings: list[Reading] = []
    outer = _collected.get()
    token = _collected.set(readings)
    try:
        yield readings
    finally:
        _collected.reset(token)
        if outer is not None:
            outer.extend(readings)


def report_reading(reading: Reading) -> None:
    """
    Hand a reading to whoever collects them.

    :param reading: complete.
    """
    readings = _collected.get()
    if readings is not None:
        readings.append(reading)
