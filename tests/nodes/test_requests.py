"""What of a request is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from haystack.errors import HaystackError
from haystack.schema import Document

from haystack_deformer.modeling import DeFormerConfig
from haystack_deformer.nodes import DeFormerReader
from haystack_deformer.nodes.answers import AnswerBuilder
from haystack_deformer.nodes.requests import readable
from haystack_deformer.passages import EmptyQuestionError
from haystack_deformer.reading import TextSpan


def test_texts_alone_are_readable() -> None:
    """The content of an image or a recording is its path."""
    documents = [
        Document(content="paris is", id="text"),
        Document(content="/srv/scans/paris.png", content_type="image", id="image"),
        Document(content="/srv/paris.wav", content_type="audio", id="audio"),
        Document(content=pd.DataFrame({"a": [1]}), content_type="table", id="table"),
        Document(content=" ", id="blank"),
    ]
    assert [document.id for document in readable(documents)] == ["text"]


def test_devices_of_an_environment_variable(tiny_deformer: Path) -> None:
    reader = DeFormerReader(str(tiny_deformer), devices="cpu, meta", progress_bar=False)  # type: ignore[arg-type]
    assert [device.type for device in reader.devices] == ["cpu", "meta"]


@pytest.mark.parametrize("question", ["", "  ", "\u200b", "\x00", None])
def test_questions_of_which_nothing_is_left_are_one_kind_of_error(tiny_deformer: Path, question: Any) -> None:
    reader = DeFormerReader(str(tiny_deformer), progress_bar=False)
    with pytest.raises(EmptyQuestionError):
        reader.predict(question, [Document(content="paris")])


@pytest.mark.parametrize("given", [None, "text", [Document(content="paris"), [Document(content="paris")]], ["paris"]])
def test_what_is_no_list_of_documents(tiny_deformer: Path, given: Any) -> None:
    reader = DeFormerReader(str(tiny_deformer), progress_bar=False)
    for ask in (reader.predict, reader.run):
        with pytest.raises(HaystackError, match=r"must be a list of Documents|expected a Document"):
            ask("who", given)
    for ask_many in (reader.predict_batch, reader.run_batch):
        with pytest.raises(HaystackError, match=r"must be a list of Documents|expected a Document"):
            ask_many(["who"], given)


@pytest.mark.parametrize(
    ("boost", "expected"), [(400.0, ["", "paris"]), (200.0, ["paris", ""]), (-5.0, ["paris", "is"])]
)
@pytest.mark.parametrize("use_confidence_scores", [True, False])
def test_margins_rank_no_answer_where_scores_are_all_one(
    boost: float, expected: list[str], use_confidence_scores: bool
) -> None:
    builder = AnswerBuilder(
        DeFormerConfig(1),
        context_window_size=10,
        no_ans_boost=boost,
        return_no_answer=True,
        use_confidence_scores=use_confidence_scores,
        confidence_threshold=None,
    )
    spans = [TextSpan(0, 5, 350.0), TextSpan(6, 8, -4.0)]
    answers, gap = builder.build([Document(content="paris is")], [spans], 2)
    assert [answer.answer for answer in answers] == expected
    assert gap == 350 - boost
