"""Scores rise with the margin, and the text around an answer has it in the middle."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack_deformer.reading import context_window, margin_to_score

MARGINS = st.floats(-1e6, 1e6, allow_nan=False)


class TestMarginToScore:
    @given(margin=st.floats(-50, 50), scale=st.floats(0.01, 2), shift=st.floats(-5, 5))
    def test_is_the_sigmoid(self, margin: float, scale: float, shift: float) -> None:
        expected = 1 / (1 + math.exp(-(margin * scale + shift)))
        assert margin_to_score(margin, scale, shift) == pytest.approx(expected, rel=1e-9)

    @given(one=MARGINS, other=MARGINS, scale=st.floats(1e-3, 10), shift=st.floats(-10, 10))
    def test_rises_and_stays_within_bounds(self, one: float, other: float, scale: float, shift: float) -> None:
        low, high = (margin_to_score(margin, scale, shift) for margin in sorted((one, other)))
        assert 0 <= low <= high <= 1

    def test_rises_strictly_where_it_matters(self) -> None:
        scores = [margin_to_score(margin / 10, 0.125, 0) for margin in range(-500, 501)]
        assert all(one < other for one, other in pairwise(scores))

    def test_at_the_ends(self) -> None:
        assert margin_to_score(1e6, 1.0, 0.0) == 1
        assert margin_to_score(-1e6, 1.0, 0.0) == 0
        assert margin_to_score(math.inf, 1.0, 0.0) == 1
        assert margin_to_score(-math.inf, 1.0, 0.0) == 0

    def test_null_answer_and_shift(self) -> None:
        assert margin_to_score(0.0, 0.125, 0.0) == 0.5
        assert margin_to_score(8.0, 0.125, -1.0) == 0.5


class TestContextWindow:
    @given(data=st.data(), length=st.integers(1, 400), size=st.integers(0, 500))
    def test_holds_the_answer_and_has_the_size(self, data: st.DataObject, length: int, size: int) -> None:
        start = data.draw(st.integers(0, length - 1))
        end = data.draw(st.integers(start + 1, length))
        left, right = context_window(start, end, length, size)
        assert 0 <= left <= start
        assert end <= right <= length
        assert right - left == min(length, max(size, end - start))

    @given(data=st.data(), answer=st.integers(1, 40), size=st.integers(40, 100))
    def test_answer_stands_in_the_middle(self, data: st.DataObject, answer: int, size: int) -> None:
        start = data.draw(st.integers(100, 300))
        left, right = context_window(start, start + answer, 500, size)
        assert abs((start - left) - (right - start - answer)) <= 1

    @pytest.mark.parametrize(
        ("start", "end", "expected"), [(0, 5, (0, 20)), (95, 100, (80, 100)), (40, 50, (35, 55)), (10, 60, (10, 60))]
    )
    def test_moves_inwards_at_the_edges(self, start: int, end: int, expected: tuple[int, int]) -> None:
        assert context_window(start, end, 100, 20) == expected
