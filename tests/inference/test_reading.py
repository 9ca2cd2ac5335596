"""What a reading holds."""

from __future__ import annotations

import pytest

from haystack_deformer.inference import Reading, ReadingTimings


def test_measured_parts_add_up() -> None:
    timings = ReadingTimings()
    for _ in range(2):
        before = timings.upper
        with timings.measure("upper"):
            sum(range(1000))
        assert timings.upper > before
    assert (timings.question, timings.read, timings.compute, timings.spans) == (0, 0, 0, 0)


def test_unknown_part_is_met() -> None:
    with pytest.raises(AttributeError, match="lower"), ReadingTimings().measure("lower"):
        pass


def test_readings_share_nothing() -> None:
    one, other = Reading(spans=[]), Reading(spans=[])
    with one.timings.measure("read"):
        pass
    assert other.timings.read == 0
