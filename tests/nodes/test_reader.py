from __future__ import annotations

import copy
import logging
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from haystack.schema import Document, Span

from haystack_deformer.document_stores import DeFormerInMemoryDocumentStore
from haystack_deformer.nodes import DeFormerReader
from tests.nodes.comparing import stripped


def test_predict_has_haystacks_shape(plain: DeFormerReader, documents: list[Document]) -> None:
    result = plain.predict("what is the capital", documents, top_k=5)
    assert set(result) == {"query", "no_ans_gap", "answers"}
    assert len(result["answers"]) == 5
    scores = [answer.score for answer in result["answers"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    by_id = {document.id: document.content for document in documents}
    for answer in result["answers"]:
        assert answer.type == "extractive"
        text = by_id[answer.document_ids[0]]
        span, in_context = answer.offsets_in_document[0], answer.offsets_in_context[0]
        assert text[span.start : span.end] == answer.answer != ""
        assert answer.context[in_context.start : in_context.end] == answer.answer
        assert answer.context in text
        assert len(answer.context) == min(150, len(text))


def test_store_and_no_store_answer_the_same(
    store: DeFormerInMemoryDocumentStore, tiny_deformer: Path, documents: list[Document], caplog: Any
) -> None:
    caplog.set_level(logging.WARNING, logger="haystack_deformer")
    with_store = DeFormerReader(str(tiny_deformer), document_store=store, progress_bar=False)
    first = with_store.predict("what is the capital", documents)
    assert not caplog.records
    without = DeFormerReader(str(tiny_deformer), progress_bar=False)
    second = without.predict("what is the capital", documents)
    assert stripped(first["answers"]) == stripped(second["answers"])
    assert first["no_ans_gap"] == pytest.approx(second["no_ans_gap"], abs=0.01)
    assert len(caplog.records) == 1
    assert "4 passages of 4" in caplog.text
    without.predict("what is the capital", documents)
    assert len(caplog.records) == 1


def test_documents_the_store_never_saw(
    store: DeFormerInMemoryDocumentStore, tiny_deformer: Path, documents: list[Document], caplog: Any
) -> None:
    strange = Document(content="which river is in paris")
    reader = DeFormerReader(str(tiny_deformer), document_store=store, progress_bar=False)
    mixed = reader.predict("which river", [*documents, strange], top_k=20)
    assert "1 passages of 5" in caplog.text
    # the new document's states must not depend on the neighbours that were stored
    alone = reader.predict("which river", [strange], top_k=20)
    assert stripped(alone["answers"]) == [entry for entry in stripped(mixed["answers"]) if entry[2] == [strange.id]]


def test_changed_content_under_one_id_is_read_anew(store: DeFormerInMemoryDocumentStore, tiny_deformer: Path) -> None:
    reader = DeFormerReader(str(tiny_deformer), document_store=store, progress_bar=False)
    old = Document(content="the river is in paris", id="same")
    store.write_documents([old])
    changed = Document(content="a city in germany", id="same", meta=dict(old.meta))
    answers = reader.predict("where", [changed])["answers"]
    assert answers
    assert all(answer.answer in changed.content for answer in answers)


def test_no_answer(tiny_deformer: Path, documents: list[Document]) -> None:
    eager = DeFormerReader(str(tiny_deformer), return_no_answer=True, no_ans_boost=100.0, progress_bar=False)
    result = eager.predict("who", documents)
    best = result["answers"][0]
    assert (best.answer, best.context, best.document_ids) == ("", None, None)
    assert best.offsets_in_document == best.offsets_in_context == [Span(0, 0)]
    assert result["no_ans_gap"] < 0
    reluctant = DeFormerReader(str(tiny_deformer), return_no_answer=True, no_ans_boost=-100.0, progress_bar=False)
    result = reluctant.predict("who", documents, top_k=100)
    assert result["answers"][-1].answer == ""
    assert result["answers"][0].answer != ""
    assert result["no_ans_gap"] > 0


def test_raw_scores_are_margins(tiny_deformer: Path, documents: list[Document]) -> None:
    raw = DeFormerReader(str(tiny_deformer), use_confidence_scores=False, progress_bar=False)
    scaled = DeFormerReader(str(tiny_deformer), progress_bar=False)
    raw_answers, scaled_answers = raw.predict("who", documents)["answers"], scaled.predict("who", documents)["answers"]
    assert [a.answer for a in raw_answers] == [a.answer for a in scaled_answers]
    assert raw.predict("who", documents)["no_ans_gap"] == pytest.approx(raw_answers[0].score)
    assert any(not 0 <= answer.score <= 1 for answer in raw_answers)


def test_confidence_threshold(tiny_deformer: Path, documents: list[Document], plain: DeFormerReader) -> None:
    scores = [answer.score for answer in plain.predict("who", documents)["answers"]]
    middle = (scores[0] + scores[-1]) / 2
    reader = DeFormerReader(str(tiny_deformer), confidence_threshold=middle, progress_bar=False)
    assert [a.score for a in reader.predict("who", documents)["answers"]] == [s for s in scores if s >= middle]


def test_attributes_set_in_use_count(tiny_deformer: Path, documents: list[Document]) -> None:
    """As FARMReader's, which reads them at every question."""
    reader = DeFormerReader(str(tiny_deformer), top_k_per_sample=5, progress_bar=False)
    answers = reader.predict("who", documents)["answers"]
    reader.confidence_threshold = answers[1].score
    assert [answer.score for answer in reader.predict("who", documents)["answers"]] == [a.score for a in answers[:2]]
    reader.confidence_threshold = ""
    reader.return_no_answers = True
    assert "" in [answer.answer for answer in reader.predict("who", documents, top_k=100)["answers"]]
    reader.return_no_answers = False
    reader.top_k_per_candidate = 1
    assert len(reader.predict("who", documents)["answers"]) == len(documents)
    reader.use_confidence_scores = False
    assert reader.predict("who", documents)["no_ans_gap"] == reader.predict("who", documents)["answers"][0].score
    with pytest.raises(ValueError, match="top_k_per_candidate must be a whole number"):
        reader.top_k_per_candidate = 0


def test_top_k_per_candidate(tiny_deformer: Path, documents: list[Document]) -> None:
    reader = DeFormerReader(str(tiny_deformer), top_k_per_candidate=1, top_k_per_sample=5, progress_bar=False)
    answers = reader.predict("who", documents)["answers"]
    assert sorted(answer.document_ids[0] for answer in answers) == sorted(document.id for document in documents)


@pytest.mark.parametrize("top_k", [0, -1, "none", 2.5, True])
def test_bad_top_k(plain: DeFormerReader, documents: list[Document], top_k: Any) -> None:
    with pytest.raises(ValueError, match="top_k"):
        plain.predict("who", documents, top_k=top_k)
    with pytest.raises(ValueError, match="top_k"):
        plain.predict_batch(["who"], documents, top_k=top_k)


@pytest.mark.parametrize("query", ["", "  \n", None])
def test_blank_question(plain: DeFormerReader, documents: list[Document], query: Any) -> None:
    with pytest.raises(ValueError, match="question is empty"):
        plain.predict(query, documents)
    with pytest.raises(ValueError, match="question is empty"):
        plain.predict_batch(["who", query], documents)


def test_long_question_is_cut_and_said(plain: DeFormerReader, documents: list[Document], caplog: Any) -> None:
    cut = plain.predict(" ".join(["who"] * 20), documents)
    assert "max_question_length" not in caplog.text
    long = plain.predict(" ".join(["who"] * 20 + ["paris"] * 30), documents)
    assert "max_question_length=20" in caplog.text
    assert stripped(cut["answers"]) == stripped(long["answers"])


def test_documents_without_text(plain: DeFormerReader, documents: list[Document]) -> None:
    table = Document(content=pd.DataFrame({"a": [1]}), content_type="table")
    odd = [table, Document(content=""), Document(content=" \n\t"), Document(content="\u200b")]
    result = plain.predict("who", [*odd, *documents])
    assert stripped(result["answers"]) == stripped(plain.predict("who", documents)["answers"])
    assert plain.predict("who", odd)["answers"] == []
    assert plain.predict("who", [])["answers"] == []


def test_a_very_long_document(plain: DeFormerReader) -> None:
    text = "x" * 150_000 + " paris is a city " + "\U0001f600" * 30_000
    answers = plain.predict("what is a city", [Document(content=text)])["answers"]
    assert answers
    for answer in answers:
        span = answer.offsets_in_document[0]
        assert text[span.start : span.end] == answer.answer


def test_parameters_from_the_environment_are_strings(tiny_deformer: Path, documents: list[Document]) -> None:
    reader = DeFormerReader(
        str(tiny_deformer),
        top_k="2",  # type: ignore[arg-type]
        return_no_answer="true",  # type: ignore[arg-type]
        use_gpu="False",  # type: ignore[arg-type]
        no_ans_boost="-50",  # type: ignore[arg-type]
        confidence_threshold="0.0",  # type: ignore[arg-type]
        batch_size="1",  # type: ignore[arg-type]
    )
    assert len(reader.predict("who", documents)["answers"]) == 2
    with pytest.raises(ValueError, match="return_no_answer must be true or false, got 'maybe'"):
        DeFormerReader(str(tiny_deformer), return_no_answer="maybe")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="top_k must be a whole number of at least 1, got '0'"):
        DeFormerReader(str(tiny_deformer), top_k="0")  # type: ignore[arg-type]


def test_threads_share_a_reader(
    store: DeFormerInMemoryDocumentStore, tiny_deformer: Path, documents: list[Document]
) -> None:
    reader = DeFormerReader(str(tiny_deformer), document_store=store, progress_bar=False)
    queries = ["who", "what is the capital", "where is paris", "which river"] * 8
    expected = [stripped(reader.predict(query, documents)["answers"]) for query in queries]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda query: stripped(reader.predict(query, documents)["answers"]), queries))
    assert got == expected


def test_predict_on_texts(plain: DeFormerReader) -> None:
    [best, *_] = plain.predict_on_texts("where", ["paris is a city", "the river"], top_k=1)["answers"]
    assert best.answer
    assert best.context in {"paris is a city", "the river"}


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda reader: pickle.loads(pickle.dumps(reader))])
def test_copies_answer_the_same_and_are_set_apart(
    store: DeFormerInMemoryDocumentStore, tiny_deformer: Path, documents: list[Document], copied: Any
) -> None:
    """As FARMReader's do; of a pickled one the store's copy computes the states anew."""
    reader = DeFormerReader(str(tiny_deformer), document_store=store, progress_bar=False, top_k_per_candidate=2)
    reader.top_k, reader.top_k_per_candidate, reader.use_confidence_scores = 20, 1, False
    other = copied(reader)
    asked = "what is the capital"
    expected = reader.predict(asked, documents)
    assert stripped(other.predict(asked, documents)["answers"]) == stripped(expected["answers"])
    assert len(expected["answers"]) == len(documents)
    assert other.get_params() == reader.get_params() or copied not in (copy.copy, copy.deepcopy)
    other.top_k_per_candidate, other.use_confidence_scores, other.top_k = 3, True, 1
    assert (reader.top_k_per_candidate, reader.use_confidence_scores, reader.top_k) == (1, False, 20)


def test_lengths_are_told_and_stay(plain: DeFormerReader) -> None:
    config = plain.encoder.model.deformer_config
    assert (plain.max_seq_len, plain.doc_stride) == (config.max_seq_len, config.doc_stride)
    with pytest.raises(AttributeError):
        plain.max_seq_len = 384  # type: ignore[misc]


def test_documents_in_a_tuple(plain: DeFormerReader, documents: list[Document]) -> None:
    asked = "what is the capital"
    listed, tupled = plain.predict(asked, documents), plain.predict(asked, tuple(documents))  # type: ignore[arg-type]
    assert stripped(listed["answers"]) == stripped(tupled["answers"])
