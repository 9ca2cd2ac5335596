"""Answers as a user compares them."""

from __future__ import annotations

from typing import Any

from haystack.schema import Answer


def stripped(answers: Any) -> Any:
    """Answers as what a user compares: text, place and document, scores rounded."""
    if isinstance(answers, Answer):
        return answers.answer, answers.offsets_in_document, answers.document_ids, round(answers.score, 3)
    return [stripped(entry) for entry in answers]
