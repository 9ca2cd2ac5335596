from __future__ import annotations

import pytest
from haystack.schema import Answer, Document, Span

from haystack_deformer.corpus import Response, format_answer, format_response, sentence_around

TEXT = "First things. The answer is forty-two, they say! Last.\n\nAnother paragraph: with 3.5 in it"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("First", "First things."),
        ("forty-two", "The answer is forty-two, they say!"),
        ("Last", "Last."),
        ("Last.", "Last."),
        ("Another paragraph", "Another paragraph:"),
        ("3.5", "with 3.5 in it"),
        ("things. The", "First things. The answer is forty-two, they say!"),
    ],
)
def test_sentence_around(answer: str, sentence: str) -> None:
    start = TEXT.index(answer)
    first, last = sentence_around(TEXT, start, start + len(answer))
    assert TEXT[first:last] == sentence


def test_sentence_around_is_bounded() -> None:
    text = "x" * 5000
    first, last = sentence_around(text, 2000, 2010)
    assert (first, last) == (1700, 2310)


def test_format() -> None:
    document = Document(content=TEXT, meta={"name": "things.md"})
    start = TEXT.index("forty")
    answer = Answer("forty-two", score=0.5, offsets_in_document=[Span(start, start + 9)], document_ids=[document.id])
    text = format_answer(answer, {document.id: document}, ("<", ">"))
    assert text.splitlines() == [
        "forty-two  (score 0.50)",
        "    The answer is <forty-two>, they say!",
        "    in things.md",
    ]
    assert format_answer(Answer("", score=0.25), {}) == "no answer  (score 0.25)"
    took = {"retrieve": 1.0, "question": 0.1, "read": 2.0, "compute": 0.0, "upper": 3.0, "spans": 0.1}
    shown = format_response(Response([answer], {document.id: document}, took))
    assert shown.endswith("retrieved 1.0 ms, states read 2.0 ms, upper layers 3.0 ms")
    assert "**forty-two**" in shown
    assert "states computed 9.0 ms" in format_response(Response([], {}, {**took, "compute": 9.0}))
