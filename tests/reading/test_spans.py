"""The vectorised search finds what trying every span finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haystack_deformer.reading import TextSpan, best_spans, is_duplicate, merge_windows


@dataclass
class Batch:
    """Logits of some windows and the places of their tokens."""

    start: np.ndarray
    end: np.ndarray
    offsets: list[np.ndarray]


def make_batch(rng: np.random.Generator, lengths: list[int], specials: int = 1, integers: bool = False) -> Batch:
    """Windows of so many tokens, the last ones special; whatever stands in padded columns must not be read."""
    columns = 1 + max(lengths)
    shape = (len(lengths), columns)
    draw = (lambda: rng.integers(-3, 4, shape)) if integers else (lambda: rng.normal(0, 5, shape))
    start, end = draw().astype(np.float32), draw().astype(np.float32)
    offsets = []
    for row, length in enumerate(lengths):
        start[row, 1 + length :] = end[row, 1 + length :] = 1e4
        # tokens of one to three characters with up to two between them
        edges = np.cumsum(rng.integers(1, 3, 2 * length)).reshape(length, 2)
        edges[max(0, length - specials) :] = 0
        offsets.append(edges.astype(np.uint32))
    return Batch(start, end, offsets)


def brute_force(
    batch: Batch, row: int, top_k: int, max_answer_length: int, duplicate_filtering: int
) -> list[tuple[int, int, float]]:
    """Every span of a window, tried one by one."""
    offsets = batch.offsets[row]
    text = [token for token in range(len(offsets)) if offsets[token, 1] > offsets[token, 0]]
    null = batch.start[row, 0] + batch.end[row, 0]
    spans = [
        (first, last, float(batch.start[row, 1 + first] + batch.end[row, 1 + last] - null))
        for first in text
        for last in text
        if 0 <= last - first < max_answer_length
    ]
    kept: list[tuple[int, int, float]] = []
    for first, last, margin in sorted(spans, key=lambda span: -span[2]):
        apart = all(
            abs(first - other[0]) > duplicate_filtering and abs(last - other[1]) > duplicate_filtering for other in kept
        )
        if len(kept) < top_k and (duplicate_filtering < 0 or apart):
            kept.append((first, last, margin))
    return kept


@st.composite
def searches(draw: st.DrawFn) -> tuple[Batch, int, int, int]:
    lengths = draw(st.lists(st.integers(1, 14), min_size=1, max_size=5))
    batch = make_batch(np.random.default_rng(draw(st.integers(0, 2**32))), lengths, draw(st.integers(0, 2)))
    return batch, draw(st.integers(1, 12)), draw(st.integers(1, 20)), draw(st.integers(-1, 3))


class TestBestSpans:
    @given(search=searches())
    @settings(max_examples=300, deadline=None)
    def test_equals_brute_force(self, search: tuple[Batch, int, int, int]) -> None:
        batch, top_k, max_answer_length, duplicate_filtering = search
        found = best_spans(
            batch.start,
            batch.end,
            batch.offsets,
            top_k=top_k,
            max_answer_length=max_answer_length,
            duplicate_filtering=duplicate_filtering,
        )
        assert len(found) == len(batch.offsets)
        for row, spans in enumerate(found):
            offsets = batch.offsets[row]
            expected = brute_force(batch, row, top_k, max_answer_length, duplicate_filtering)
            assert [(span.start, span.end) for span in spans] == [
                (offsets[first, 0], offsets[last, 1]) for first, last, _ in expected
            ]
            assert [span.margin for span in spans] == pytest.approx([margin for *_, margin in expected], abs=1e-3)

    @given(seed=st.integers(0, 2**32), top_k=st.integers(1, 12), duplicate_filtering=st.integers(-1, 2))
    @settings(deadline=None)
    def test_ties_give_the_same_margins(self, seed: int, top_k: int, duplicate_filtering: int) -> None:
        """Which of equal spans is taken is free where all are kept: the margins are not."""
        batch = make_batch(np.random.default_rng(seed), [9, 6], integers=True)
        found = best_spans(batch.start, batch.end, batch.offsets, top_k=top_k, duplicate_filtering=duplicate_filtering)
        for row, spans in enumerate(found):
            expected = brute_force(batch, row, top_k, 30, duplicate_filtering)
            assert [span.margin for span in spans] == [margin for *_, margin in expected]

    def test_never_crosses_windows(self) -> None:
        """The best start in one window, the best end in the next: no span of both."""
        start = np.array([[0, 9, 1, 0], [0, 0, 1, 0]], dtype=np.float32)
        end = np.array([[0, 0, 2, 0], [0, 1, 9, 0]], dtype=np.float32)
        window = np.array([[0, 5], [6, 9], [0, 0]], dtype=np.uint32)
        found = best_spans(start, end, [window, window + np.uint32(10) * (window > 0)])
        assert found == [[TextSpan(0, 9, 11.0)], [TextSpan(16, 19, 10.0)]]

    def test_margin_is_less_the_null_answer(self) -> None:
        start = np.array([[2.0, 5, -9]], dtype=np.float32)
        end = np.array([[1.5, 4, -9]], dtype=np.float32)
        assert best_spans(start, end, [np.array([[0, 5], [6, 9]], np.uint32)]) == [[TextSpan(0, 5, 5.5)]]

    def test_null_answer_is_no_span(self) -> None:
        """However much better it is: the reader compares, not the search."""
        start = end = np.array([[100.0, 0, 0]], dtype=np.float32)
        assert best_spans(start, end, [np.array([[0, 5], [0, 0]], np.uint32)]) == [[TextSpan(0, 5, -200.0)]]

    def test_window_without_a_candidate_has_none(self) -> None:
        batch = make_batch(np.random.default_rng(0), [4, 3])
        batch.offsets[1][:] = 0
        for top_k, duplicate_filtering in ((1, 0), (5, 0), (5, -1)):
            found = best_spans(
                batch.start, batch.end, batch.offsets, top_k=top_k, duplicate_filtering=duplicate_filtering
            )
            assert found[0]
            assert found[1] == []

    def test_windows_of_no_token_have_none(self) -> None:
        logits = np.zeros((2, 1), dtype=np.float32)
        assert best_spans(logits, logits, [np.zeros((0, 2), np.uint32)] * 2) == [[], []]

    def test_no_windows(self) -> None:
        logits = np.zeros((0, 5), dtype=np.float32)
        assert best_spans(logits, logits, []) == []

    def test_fewer_than_asked_for(self) -> None:
        batch = make_batch(np.random.default_rng(0), [3])
        (spans,) = best_spans(batch.start, batch.end, batch.offsets, top_k=50, duplicate_filtering=-1)
        # two tokens and their [SEP]: each alone, and both
        assert len(spans) == 3

    def test_least_logits_of_padding_do_not_count(self) -> None:
        """The model marks padding with the least value of its type, two of which are no number in fp32."""
        least = np.finfo(np.float32).min
        start = end = np.array([[0, 1, least, least]], dtype=np.float32)
        with np.errstate(all="raise"):
            found = best_spans(start, end, [np.array([[0, 5]], np.uint32)], top_k=5)
        assert found == [[TextSpan(0, 5, 2.0)]]

    def test_does_not_write_to_its_input(self) -> None:
        batch = make_batch(np.random.default_rng(0), [8, 5])
        before = batch.start.copy(), batch.end.copy()
        best_spans(batch.start, batch.end, batch.offsets, top_k=3)
        assert np.array_equal(batch.start, before[0])
        assert np.array_equal(batch.end, before[1])


class TestIsDuplicate:
    @pytest.mark.parametrize(
        ("one", "other", "distance", "expected"),
        [
            ((3, 5), (3, 9), 0, True),
            ((3, 5), (1, 5), 0, True),
            ((3, 5), (4, 6), 0, False),
            ((3, 5), (4, 9), 1, True),
            ((3, 5), (5, 8), 1, False),
            ((3, 5), (3, 5), -1, False),
        ],
    )
    def test_by_farms_rule(self, one: tuple[int, int], other: tuple[int, int], distance: int, expected: bool) -> None:
        assert is_duplicate(*one, *other, distance) is expected
        assert is_duplicate(*other, *one, distance) is expected


class TestMergeWindows:
    def test_found_twice_counts_once_with_its_best_margin(self) -> None:
        one, again, other = TextSpan(4, 9, 1.0), TextSpan(4, 9, 3.0), TextSpan(4, 12, 2.0)
        assert merge_windows([[one], [other, again]], top_k=3) == [again, other]
        assert merge_windows([[other, again], [one]], top_k=3) == [again, other]

    def test_tokens_that_share_a_character(self) -> None:
        window = [TextSpan(0, 1, 3.0), TextSpan(0, 1, 2.5), TextSpan(4, 5, 2.0)]
        assert merge_windows([window], top_k=2) == [window[0], window[2]]

    def test_keeps_the_best(self) -> None:
        windows = [[TextSpan(0, 1, 5.0), TextSpan(2, 3, 1.0)], [], [TextSpan(9, 10, 4.0)]]
        assert [span.margin for span in merge_windows(windows, top_k=2)] == [5.0, 4.0]
        assert [span.margin for span in merge_windows(windows[:1], top_k=1)] == [5.0]

    def test_of_no_window(self) -> None:
        assert merge_windows([], top_k=3) == []
        assert merge_windows([[]], top_k=3) == []


@pytest.mark.parametrize("column", [0, 2])
def test_logits_that_are_no_numbers(column: int) -> None:
    batch = make_batch(np.random.default_rng(0), [5, 3])
    best_spans(batch.start, batch.end, batch.offsets)
    # where nobody looks they say nothing of the model
    batch.end[1, 4:] = np.nan
    best_spans(batch.start, batch.end, batch.offsets)
    batch.start[1, column] = np.nan
    with pytest.raises(FloatingPointError, match="no numbers"):
        best_spans(batch.start, batch.end, batch.offsets)
