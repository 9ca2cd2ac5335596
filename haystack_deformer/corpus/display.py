"""Answers for people: the sentence around an answer with the answer marked."""

from __future__ import annotations

import re
from collections.abc import Mapping

from haystack.schema import Answer, Document

from haystack_deformer.corpus.results import Response
from haystack_deformer.corpus.texts import BLANK_LINE

_SENTENCE_END = re.compile(rf"[.!?:]\s+(?=\S)|{BLANK_LINE}")
_LONGEST = 300


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """
    The sentence that holds an answer.

    :param text: where the answer stands.
    :param start: the answer's first character.
    :param end: one past its last.
    :return: first character and one past the last, at most 300 characters to either side.
    """
    first, last = max(0, start - _LONGEST), min(len(text), end + _LONGEST)
    # from the paragraph's beginning: a break is found whole even where the answer follows it at once
    for match in _SENTENCE_END.finditer(text, first, last):
        if match.end() <= start:
            first = match.end()
        elif match.start() >= end - 1:
            last = max(match.start() + 1, end)
            break
    while first < start and text[first].isspace():
        first += 1
    while last > end and text[last - 1].isspace():
        last -= 1
    return first, last


def format_answer(answer: Answer, documents: Mapping[str, Document], mark: tuple[str, str] = ("**", "**")) -> str:
    """
    An answer on a few lines: it and its score, its sentence, its document.

    :param answer: an extractive answer.
    :param documents: those that were read, by id.
    :param mark: what stands before and after the answer in its sentence.
    """
    if not answer.answer:
        return f"no answer  (score {answer.score:.2f})"
    document = documents[answer.document_ids[0]]
    span = answer.offsets_in_document[0]
    text = document.content
    first, last = sentence_around(text, span.start, span.end)
    sentence = f"{text[first : span.start]}{mark[0]}{text[span.start : span.end]}{mark[1]}{text[span.end : last]}"
    name = document.meta.get("name", document.id)
    return "\n".join(
        [
            f"{_one_line(answer.answer)}  (score {answer.score:.2f})",
            f"    {_one_line(sentence)}",
            f"    in {name}",
        ]
    )


def format_response(response: Response, mark: tuple[str, str] = ("**", "**")) -> str:
    """
    All answers to a question, and the milliseconds that they took.

    :param response: from `CorpusIndex.ask`.
    :param mark: what stands before and after an answer in its sentence.
    """
    answers = [format_answer(answer, response.documents, mark) for answer in response.answers] or ["no answer"]
    took = response.milliseconds
    reader = f"states read {took['read']:.1f} ms, upper layers {took['upper']:.1f} ms"
    if took["compute"] > 0:
        reader += f", states computed {took['compute']:.1f} ms"
    return "\n".join([*answers, f"    retrieved {took['retrieve']:.1f} ms, {reader}"])


def _one_line(text: str) -> str:
    return " ".join(text.split())
