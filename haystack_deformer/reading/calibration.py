"""Scores that say how often an answer is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_STEPS = 100
_RIDGE = 1e-6


def fit_scores(margins: Sequence[float], right: Sequence[bool]) -> tuple[float, float]:
    """
    Slope and shift of the sigmoid that makes of a margin the share of right answers.

    Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with its targets for small samples, fitted
    by Newton's method.

    :param margins: of answers, in logits.
    :param right: whether each is.
    :return: scale, above 0, and shift, as `margin_to_score` takes them.
    :raises ValueError: where all are right or all wrong, or where better margins do not go with right answers.
    """
    values, labels = np.asarray(margins, dtype=np.float64), np.asarray(right, dtype=bool)
    positive, negative = int(labels.sum()), int((~labels).sum())
    if not positive or not negative:
        msg = (
            f"Of {len(labels)} answers {positive} are right: scores can be calibrated only on some that are right and "
            "some that are wrong. Give more questions."
        )
        raise ValueError(msg)
    # not 1 and 0: a sample that one margin divides would make the slope endless
    targets = np.where(labels, (positive + 1) / (positive + 2), 1 / (negative + 2))
    # in deviations, so that one ridge fits all units
    mean, deviation = values.mean(), values.std() or 1.0
    inputs = np.stack([(values - mean) / deviation, np.ones_like(values)], axis=1)
    weights = np.zeros(2)
    for _ in range(_STEPS):
        predicted = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        gradient = inputs.T @ (predicted - targets) + _RIDGE * weights
        hessian = (inputs * (predicted * (1 - predicted))[:, None]).T @ inputs + _RIDGE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    scale, shift = weights[0] / deviation, weights[1] - weights[0] * mean / deviation
    if scale <= 0:
        msg = (
            f"On these {len(labels)} answers a better margin does not mean a right answer more often (slope "
            f"{scale:.3g}), so that the scores stay as they are. Give more questions, or train the model first."
        )
        raise ValueError(msg)
    return float(scale), float(shift)
