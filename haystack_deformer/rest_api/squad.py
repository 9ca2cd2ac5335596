"""A label to an entry of SQuAD-format data."""

from __future__ import annotations

import logging
from typing import Any

from haystack.schema import Label, Span

from haystack_deformer.reading import context_window

logger = logging.getLogger(__name__)


def squad_entry(label: Label, context_size: int | None) -> dict[str, Any] | None:
    """
    One question on one passage.

    :param label: by a user.
    :param context_size: characters of the passage around the answer; None: the whole.
    :return: None where the answer does not stand where the label says.
    """
    text = label.document.content
    if not isinstance(text, str):
        return None
    answer = label.answer.answer if label.answer is not None else ""
    offsets = label.answer.offsets_in_document if label.answer is not None else None
    # a cell of a table has a row and a column in place of characters
    start = offsets[0].start if offsets and isinstance(offsets[0], Span) else 0
    impossible = not label.is_correct_answer or not answer
    if not impossible and (start < 0 or text[start : start + len(answer)] != answer):
        logger.warning("The label %s is left out: its answer does not stand at %d of its document.", label.id, start)
        return None
    size = len(text) if context_size is None else context_size
    first, last = context_window(start, start + len(answer), len(text), size)
    question = {
        "question": label.query,
        "id": label.id,
        "is_impossible": impossible,
        "answers": [] if impossible else [{"text": answer, "answer_start": start - first}],
    }
    return {"paragraphs": [{"context": text[first:last], "id": label.document.id, "qas": [question]}]}
