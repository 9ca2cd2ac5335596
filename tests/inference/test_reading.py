"""What a reading holds."""

from __future__ import annotations

import pytest

from haystack_deformer.inference import Reading, ReadingTimings, collect_readings
from haystack_deformer.inference.reading import report_reading


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


def test_blocks_in_each_other_gather_all_of_theirs() -> None:
    before, within, after = (Reading(spans=[]) for _ in range(3))
    with collect_readings() as outer:
        report_reading(before)
        with collect_readings() as inner:
            report_reading(within)
        report_reading(after)
    report_reading(Reading(spans=[]))
    assert [list(map(id, readings)) for readings in (outer, inner)] == [
        [id(before), id(within), id(after)],
        [id(within)],
    ]
