from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from haystack.schema import Document

from haystack_deformer.nodes import DeFormerReader
from haystack_deformer.reading import TextSpan
from tests.nodes.comparing import stripped


def test_page_numbers_are_counted(plain: DeFormerReader) -> None:
    document = Document(content="the city\fparis is a city", meta={"page_number": 3})
    spans = [TextSpan(4, 8, 2.0), TextSpan(9, 14, 1.0)]
    answers, _ = plain._answers.build([document], [spans], 2)
    assert [(answer.answer, answer.meta["answer_page_number"]) for answer in answers] == [("city", 3), ("paris", 4)]


@pytest.mark.parametrize("page", ["12", None, True, 2.5, [3]], ids=str)
def test_page_numbers_that_are_none(plain: DeFormerReader, page: Any) -> None:
    document = Document(content="the city\fparis is a city", meta={"page_number": page})
    answers = plain.predict("who", [document])["answers"]
    assert answers
    assert all(answer.meta == {"page_number": page} for answer in answers)


@pytest.mark.parametrize(
    "overlap",
    [
        *("x", 5, {"doc_id": "1"}, ["x"], [None], [{"doc_id": "1"}], [{"range": [0, 5]}]),
        [{"doc_id": 1, "range": [0, 99]}],
        [{"doc_id": "1", "range": 5}],
        [{"doc_id": "1", "range": [0]}],
        [{"doc_id": "1", "range": ["0", "99"]}],
        [{"doc_id": "1", "range": [None, None]}],
    ],
    ids=str,
)
def test_overlaps_that_are_none(plain: DeFormerReader, overlap: Any) -> None:
    """Whoever uploads a document gives its meta, and every question that meets it reads it."""
    text = "where is paris a city"
    expected = plain.predict("what", [Document(content=text)])["answers"]
    answers = plain.predict("what", [Document(content=text, meta={"_split_overlap": overlap})])["answers"]
    assert stripped(answers) == stripped(expected) != []


def test_answers_in_the_overlap_of_two_documents_come_once(tiny_deformer: Path) -> None:
    first = Document(content="where is paris a city")
    second = Document(content="paris a city")
    shared = (first.content.index("paris"), len(first.content))
    first.meta["_split_overlap"] = [{"doc_id": second.id, "range": shared}]
    second.meta["_split_overlap"] = [{"doc_id": first.id, "range": (0, len(second.content))}]
    reader = DeFormerReader(str(tiny_deformer), top_k_per_sample=50, top_k_per_candidate=50, duplicate_filtering=-1)
    answers = reader.predict("what", [first, second], top_k=100)["answers"]
    places = [
        answer.offsets_in_document[0].start - (shared[0] if answer.document_ids == [first.id] else 0)
        for answer in answers
    ]
    ends = [place + len(answer.answer) for place, answer in zip(places, answers, strict=True)]
    assert len(set(zip(places, ends, strict=True))) == len(answers) > 3
    assert {answer.document_ids[0] for answer in answers} == {first.id, second.id}
