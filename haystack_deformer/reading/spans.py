"""Logits to spans: the best of each window, by one search over the whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TextSpan:
    """
    An answer's place in its document.

    :param start: first character.
    :param end: one past the last character.
    :param margin: logits of the span's start and end less those of the null answer, in logits. Logits alone cannot
        be compared across windows, since each window's softmax has a sum of its own; the null answer is their common
        zero.
    """

    start: int
    end: int
    margin: float


def best_spans(
    start_logits: Floats,
    end_logits: Floats,
    offsets: Sequence[npt.NDArray[np.uint32]],
    *,
    top_k: int = 1,
    max_answer_length: int = 30,
    duplicate_filtering: int = 0,
) -> list[list[TextSpan]]:
    """
    The best spans of each window of a batch, best first.

    :param start_logits: (batch, 1 + length); column 0 is the null answer, columns past a window's end are not read.
    :param end_logits: the same for the last token.
    :param offsets: for each window (tokens, 2), the characters of its tokens; (0, 0) for tokens that are no text.
    :param top_k: spans of a window at most.
    :param max_answer_length: tokens of a span at most.
    :param duplicate_filtering: of spans whose first or last tokens are at most this far apart the best alone is kept;
        -1 keeps all.
    :return: for each window its spans; fewer than `top_k` where there are no more.
    :raises FloatingPointError: for logits that are NaN, of a model that is broken.
    """
    batch, length = start_logits.shape[0], start_logits.shape[1] - 1
    longest = min(max_answer_length, length)
    if not batch or longest < 1:
        return [[] for _ in offsets]
    candidates = np.zeros((batch, length), dtype=bool)
    for row, window in zip(candidates, offsets, strict=True):
        row[: len(window)] = window[:, 1] > window[:, 0]
    starts = np.where(candidates, start_logits[:, 1:], -np.inf)
    # scores[b, i, j] is the span from token i to token i + j: a band, where the full square would be mostly too long
    padded = np.full((batch, length + longest - 1), -np.inf, dtype=np.float32)
    np.copyto(padded[:, :length], end_logits[:, 1:], where=candidates)
    scores = starts[:, :, None] + np.lib.stride_tricks.sliding_window_view(padded, longest, axis=1)
    scores -= (start_logits[:, 0] + end_logits[:, 0])[:, None, None]
    flat = scores.reshape(batch, -1)
    # NaN is greater than nothing and less than nothing: whatever stands first would be the answer
    if np.isnan(flat.max(initial=-np.inf)):
        msg = "The logits of the answers are no numbers (NaN): the model's weights are broken. Load them anew."
        # no ValueError, which would say that the question or the passages are to blame
        raise FloatingPointError(msg)
    return [
        _window_spans(row, longest, window, top_k, duplicate_filtering)
        for row, window in zip(flat, offsets, strict=True)
    ]


def _window_spans(
    scores: Floats, longest: int, offsets: npt.NDArray[np.uint32], top_k: int, duplicate_filtering: int
) -> list[TextSpan]:
    if top_k == 1:
        order = np.array([scores.argmax()])
    elif duplicate_filtering < 0:
        most = min(top_k, scores.size)
        order = np.argpartition(-scores, most - 1)[:most]
        order = order[np.argsort(-scores[order], kind="stable")]
    else:
        order = np.argsort(-scores, kind="stable")
    spans: list[TextSpan] = []
    kept: list[tuple[int, int]] = []
    for position in order:
        if len(spans) == top_k or scores[position] == -np.inf:
            break
        first, last = position // longest, position // longest + position % longest
        if any(is_duplicate(first, last, *other, duplicate_filtering) for other in kept):
            continue
        kept.append((first, last))
        spans.append(TextSpan(int(offsets[first, 0]), int(offsets[last, 1]), float(scores[position])))
    return spans


def is_duplicate(start: int, end: int, other_start: int, other_end: int, distance: int) -> bool:
    """
    Whether two spans say the same by FARM's rule: their starts or their ends are at most so far apart.

    :param distance: in the unit of the positions; below 0 nothing is a duplicate.
    """
    return distance >= 0 and (abs(start - other_start) <= distance or abs(end - other_end) <= distance)


def merge_windows(windows: Sequence[Sequence[TextSpan]], top_k: int) -> list[TextSpan]:
    """
    The best spans of a document from those of its windows.

    Those of the same characters count once: found in two windows through the overlap, or of tokens that share a
    character.

    :param windows: spans of each window.
    :param top_k: spans of the document at most.
    :return: best first.
    """
    best: dict[tuple[int, int], TextSpan] = {}
    for span in (span for window in windows for span in window):
        known = best.get((span.start, span.end))
        if known is None or span.margin > known.margin:
            best[span.start, span.end] = span
    return sorted(best.values(), key=lambda span: -span.margin)[:top_k]
