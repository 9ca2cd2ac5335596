"""Batches: every window once, within the size and the padding that the plan allows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from haystack_deformer.runtime import BatchPlan, length_mask, pad_ids, pad_states
from haystack_deformer.runtime.batching import left_together

CPU = torch.device("cpu")
LENGTHS = st.lists(st.integers(1, 200), max_size=80)


@given(lengths=LENGTHS, batch_size=st.integers(1, 20), max_padding=st.sampled_from([0.0, 0.03, 0.5, 1.0]))
@settings(deadline=None)
def test_every_position_once_within_size_and_padding(lengths: list[int], batch_size: int, max_padding: float) -> None:
    batches = list(BatchPlan(batch_size, max_padding).batches(lengths))
    assert sorted(position for batch in batches for position in batch) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch) <= batch_size
        tokens = [lengths[position] for position in batch]
        padded = max(tokens) * len(tokens)
        assert padded - sum(tokens) <= max_padding * padded
    longest = [max(lengths[position] for position in batch) for batch in batches]
    assert longest == sorted(longest, reverse=True)


@given(lengths=LENGTHS, batch_size=st.integers(1, 20))
@settings(deadline=None)
def test_padding_without_bound_needs_the_fewest_batches(lengths: list[int], batch_size: int) -> None:
    assert len(list(BatchPlan(batch_size, 1.0).batches(lengths))) == -(-len(lengths) // batch_size)


def test_like_lengths_go_together_on_a_cpu() -> None:
    plan = BatchPlan.for_device(CPU, 8)
    assert sorted(map(sorted, plan.batches([80, 20, 80, 20, 79]))) == [[0, 2, 4], [1, 3]]
    # what has rows enough by itself stays alone
    assert sorted(map(sorted, plan.batches([200, 200]))) == [[0], [1]]


def test_a_gpu_pads() -> None:
    assert list(BatchPlan.for_device(torch.device("cuda"), 8).batches([100, 20, 100, 20])) == [[0, 2, 1, 3]]


@pytest.mark.parametrize("batch_size", [0, -1])
def test_size_below_one_is_refused(batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, got {batch_size}"):
        BatchPlan(batch_size, 0.5)


@pytest.mark.parametrize(
    ("tokens", "threads", "together"),
    [
        ([160] * 3, 2, 1),
        ([160] * 11, 2, 1),
        ([160] * 10, 8, 2),
        ([160] * 10, 2, 0),
        # one thread has none to share with
        ([160] * 3, 1, 0),
        # all threads for the one there is
        ([160], 2, 1),
        # all are under way at once
        ([160] * 3, 8, 0),
        # seven of eight threads would be at work anyway
        ([160] * 15, 8, 0),
        # the two short ones are done before the long one
        ([300, 100, 100], 2, 0),
        ([], 2, 0),
    ],
)
def test_batches_that_all_threads_do_together(tokens: list[int], threads: int, together: int) -> None:
    assert left_together(tokens, threads) == together


def test_pad_ids() -> None:
    ids, mask = pad_ids([[5, 6], [7, 8, 9]], CPU)
    assert ids.tolist() == [[5, 6, 0], [7, 8, 9]]
    assert ids.dtype == torch.int64
    assert mask is not None
    assert mask.tolist() == [[True, True, False], [True, True, True]]


def test_pad_states() -> None:
    rows = [torch.ones(1, 2), torch.full((3, 2), 2.0)]
    states, mask = pad_states(rows, CPU)
    assert states.tolist() == [[[1, 1], [0, 0], [0, 0]], [[2, 2], [2, 2], [2, 2]]]
    assert mask is not None
    assert mask.tolist() == [[True, False, False], [True, True, True]]


def test_no_mask_where_nothing_is_padded() -> None:
    assert pad_ids([[5, 6], [7, 8]], CPU)[1] is None
    assert pad_states([torch.ones(2, 4)], CPU)[1] is None
    assert length_mask([3, 3, 3], CPU) is None
