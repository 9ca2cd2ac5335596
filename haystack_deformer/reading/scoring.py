"""Spans of several documents to scores that compare, and the text around an answer."""

from __future__ import annotations

import math


def margin_to_score(margin: float, scale: float, shift: float) -> float:
    """
    A sigmoid of the margin.

    :param margin: a span's logits less the null answer's.
    :param scale: slope, 1 / logit.
    :param shift: added before the sigmoid.
    :return: in [0, 1]; rises with the margin.
    """
    value = margin * scale + shift
    # the exponent is kept negative, so that no margin overflows
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def context_window(start: int, end: int, length: int, size: int) -> tuple[int, int]:
    """
    The part of a text to show with an answer: `size` characters with the answer in the middle, moved inwards at the
    text's edges; the answer alone where it is longer.

    :param start: the answer's first character.
    :param end: one past its last.
    :param length: characters of the text.
    :param size: characters to show.
    :return: first character and one past the last.
    """
    size = max(size, end - start)
    left = (start + end - size) // 2
    left = max(0, min(left, length - size))
    return left, min(length, left + size)
