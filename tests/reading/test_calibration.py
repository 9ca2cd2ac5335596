"""Margins to the share of right answers."""

from __future__ import annotations

import numpy as np
import pytest

from haystack_deformer.reading import margin_to_score
from haystack_deformer.reading.calibration import fit_scores


def drawn(scale: float, shift: float, count: int = 20_000) -> tuple[list[float], list[bool]]:
    """Margins, and answers that are right as often as the sigmoid says."""
    rng = np.random.default_rng(0)
    margins = rng.normal(3, 5, count)
    right = rng.random(count) < 1 / (1 + np.exp(-(scale * margins + shift)))
    return margins.tolist(), right.tolist()


@pytest.mark.parametrize(("scale", "shift"), [(0.5, -1.0), (0.05, 0.3), (2.0, 1.0)])
def test_finds_the_sigmoid_that_they_were_drawn_from(scale: float, shift: float) -> None:
    found = fit_scores(*drawn(scale, shift))
    assert found == pytest.approx((scale, shift), rel=0.1, abs=0.05)


def test_scores_are_shares_of_right_answers() -> None:
    margins, right = drawn(0.3, -0.5)
    scale, shift = fit_scores(margins, right)
    scores = np.array([margin_to_score(margin, scale, shift) for margin in margins])
    for low in (0.1, 0.4, 0.7):
        within = (scores >= low) & (scores < low + 0.2)
        assert np.mean(np.array(right)[within]) == pytest.approx(scores[within].mean(), abs=0.04)


def test_margins_that_divide_perfectly_give_no_endless_slope() -> None:
    scale, shift = fit_scores([-2.0, -1.0, 1.0, 2.0], [False, False, True, True])
    assert 0 < scale < 10
    assert shift == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("margins", "right", "message"),
    [
        ([1.0, 2.0], [True, True], "Of 2 answers 2 are right"),
        ([1.0, 2.0], [False, False], "Of 2 answers 0 are right"),
        ([], [], "Of 0 answers"),
        ([1.0, 2.0, 3.0, 4.0], [True, True, False, False], "does not mean a right answer more often"),
    ],
)
def test_what_cannot_be_fitted_is_said(margins: list[float], right: list[bool], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_scores(margins, right)


def test_equal_margins_carry_no_slope() -> None:
    with pytest.raises(ValueError, match="more often"):
        fit_scores([1.0, 1.0, 1.0], [True, False, True])
