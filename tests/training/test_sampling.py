"""Batches of like length whose questions share windows, in an order that the seed and the epoch decide."""

from __future__ import annotations

import numpy as np
import pytest

from haystack_deformer.training.features import SquadFeature
from haystack_deformer.training.sampling import SharedWindowSampler


def features_of(windows: int, questions: int, seed: int = 0) -> list[SquadFeature]:
    """Windows of all lengths from 1 on, in random order."""
    lengths = 1 + np.random.default_rng(seed).permutation(windows)
    return [
        SquadFeature(windows * question + window, [1, 2, 3], window, [0] * int(lengths[window]), 0, 0)
        for question in range(questions)
        for window in range(windows)
    ]


def batches(sampler: SharedWindowSampler, epoch: int = 0) -> list[list[int]]:
    sampler.set_epoch(epoch)
    order = list(sampler)
    return [order[start : start + sampler.batch_size] for start in range(0, len(order), sampler.batch_size)]


@pytest.mark.parametrize("shared", [1, 3, 100])
@pytest.mark.parametrize(("windows", "questions"), [(1, 1), (7, 5), (400, 3), (1000, 1)])
def test_each_feature_once_an_epoch(windows: int, questions: int, shared: int) -> None:
    sampler = SharedWindowSampler(features_of(windows, questions), 8, shared)
    assert len(sampler) == windows * questions
    for epoch in range(2):
        sampler.set_epoch(epoch)
        assert sorted(sampler) == list(range(windows * questions))


def test_like_lengths_go_together() -> None:
    features = features_of(800, 1)
    sampler = SharedWindowSampler(features, 8)
    in_order = SharedWindowSampler(features, 8)
    in_order.lengths = np.zeros_like(in_order.lengths)

    def padding(sampler: SharedWindowSampler) -> int:
        lengths = [[len(features[index].passage_ids) for index in batch] for batch in batches(sampler)]
        return sum(max(batch) * len(batch) - sum(batch) for batch in lengths)

    assert padding(sampler) < padding(in_order) / 5


def test_batches_of_one_epoch_do_not_run_from_long_to_short() -> None:
    features = features_of(400, 1)
    means = [
        np.mean([len(features[i].passage_ids) for i in batch]) for batch in batches(SharedWindowSampler(features, 8))
    ]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5


def test_questions_on_one_window_stay_together() -> None:
    features = features_of(100, 12)

    def windows_in_a_batch(shared: int) -> float:
        sampler = SharedWindowSampler(features, 16, shared)
        return float(np.mean([len({features[index].window for index in batch}) for batch in batches(sampler)]))

    # 16 questions in groups of 4 stand on 4 windows, fewer where two groups of a window meet
    assert 3 <= windows_in_a_batch(4) < 5
    assert windows_in_a_batch(1) > 8


def test_order_depends_on_seed_and_epoch_alone() -> None:
    features = features_of(100, 3)
    first, second = SharedWindowSampler(features, 8, 2, seed=3), SharedWindowSampler(features, 8, 2, seed=3)
    orders = [batches(first, epoch) for epoch in range(3)]
    assert batches(second, 2) == orders[2]
    assert batches(first, 1) == orders[1]
    assert orders[0] != orders[1]
    assert batches(SharedWindowSampler(features, 8, 2, seed=4)) != orders[0]


def test_only_the_last_batch_is_short() -> None:
    features = features_of(997, 1)
    sizes = [len(batch) for batch in batches(SharedWindowSampler(features, 8, 3))]
    assert sizes == [8] * 124 + [5]
