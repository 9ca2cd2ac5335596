"""Intervals of the difference of two models."""

from __future__ import annotations

import numpy as np
import pytest

from haystack_deformer.evaluation import Difference, paired_bootstrap


def scores(values: np.ndarray) -> dict[str, float]:
    return {str(number): float(value) for number, value in enumerate(values)}


def test_against_the_normal_interval() -> None:
    """For many questions the interval is the mean's plus and minus 1.96 standard errors."""
    rng = np.random.default_rng(1)
    one, other = rng.uniform(0, 100, 500), rng.uniform(0, 100, 500)
    result = paired_bootstrap(scores(one), scores(other))
    error = (one - other).std() / 500**0.5
    assert result.mean == pytest.approx((one - other).mean())
    assert result.low == pytest.approx(result.mean - 1.96 * error, abs=0.15 * error)
    assert result.high == pytest.approx(result.mean + 1.96 * error, abs=0.15 * error)


def test_is_paired() -> None:
    """Models that differ by the same on every question differ for certain, however hard the questions are."""
    values = np.random.default_rng(2).uniform(0, 100, 100)
    result = paired_bootstrap(scores(values + 3), scores(values))
    assert (result.low, result.mean, result.high) == pytest.approx((3, 3, 3))


def test_same_seed_same_interval() -> None:
    one, other = scores(np.arange(50.0)), scores(np.arange(50.0)[::-1])
    assert paired_bootstrap(one, other, seed=1) == paired_bootstrap(one, other, seed=1)
    assert paired_bootstrap(one, other, seed=1) != paired_bootstrap(one, other, seed=2)


def test_a_higher_level_is_a_wider_interval() -> None:
    one, other = scores(np.arange(50.0)), scores(np.arange(50.0)[::-1])
    wide, narrow = (paired_bootstrap(one, other, level=level) for level in (0.99, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_other_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="2 of 2 differ"):
        paired_bootstrap({"1": 1.0, "2": 2.0}, {"2": 1.0, "3": 2.0, "1": 0.0, "4": 1.0})
    with pytest.raises(ValueError, match="same questions"):
        paired_bootstrap({}, {})


def test_reads_as_points_with_their_sign() -> None:
    assert str(Difference(-0.26, -1.0, 0.5, 0.95)) == "-0.3 [-1.0, +0.5]"
