from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from haystack.errors import HaystackError
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


@pytest.mark.parametrize("form", ["one-flat", "one-nested", "many-flat", "many-nested"])
def test_predict_batch_equals_predict(plain: DeFormerReader, documents: list[Document], form: str) -> None:
    queries = ["who"] if form.startswith("one") else ["who", "what is the capital"]
    if form == "one-flat":
        expected = [plain.predict("who", [document])["answers"] for document in documents]
        asked: Any = documents
    elif form == "one-nested":
        asked = [documents[:2], documents[2:], documents]
        expected = [plain.predict("who", some)["answers"] for some in asked]
    elif form == "many-flat":
        asked = documents
        expected = [[plain.predict(query, [d])["answers"] for d in documents] for query in queries]
    else:
        asked = [documents[:3], documents]
        expected = [plain.predict(query, some)["answers"] for query, some in zip(queries, asked, strict=True)]
    result = plain.predict_batch(queries, asked)
    assert set(result) == {"queries", "answers", "no_ans_gaps"}
    assert result["queries"] == queries
    assert stripped(result["answers"]) == stripped(expected)
    in_pipeline, _ = plain.run_batch(queries, asked)
    assert stripped(in_pipeline["answers"]) == stripped(expected)


def test_predict_batch_with_an_empty_list(
    plain: DeFormerReader, documents: list[Document], tiny_deformer: Path
) -> None:
    assert plain.predict_batch(["who", "what"], [[], documents])["answers"][0] == []
    unsure = DeFormerReader(str(tiny_deformer), return_no_answer=True, progress_bar=False)
    [empty, full] = unsure.predict_batch(["who", "what"], [[], documents])["answers"]
    assert [answer.answer for answer in empty] == [""]
    assert len(full) > 1
    [empty, _] = unsure.run_batch(["who", "what"], [[Document(content=" ")], documents])[0]["answers"]
    assert [answer.answer for answer in empty] == [""]


def test_predict_batch_refuses_what_does_not_fit(plain: DeFormerReader, documents: list[Document]) -> None:
    with pytest.raises(HaystackError, match="3 queries and 2 lists"):
        plain.predict_batch(["a", "b", "c"], [documents, documents])
    with pytest.raises(HaystackError, match="expected a Document"):
        plain.predict("who", ["text"])  # type: ignore[list-item]
    with pytest.raises(HaystackError, match="list of Documents"):
        plain.predict_batch(["who", "what"], [documents, documents[0]])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="use predict"):
        plain.predict_batch("who", documents)  # type: ignore[arg-type]


def test_predict_batch_reads_each_passage_once(
    store: DeFormerInMemoryDocumentStore, tiny_deformer: Path, documents: list[Document], monkeypatch: Any
) -> None:
    reader = DeFormerReader(str(tiny_deformer), document_store=store, progress_bar=False)
    asked: list[int] = []
    get = store.representations.get
    monkeypatch.setattr(store.representations, "get", lambda keys: asked.append(len(keys)) or get(keys))
    reader.predict_batch(["who", "what", "where"], [documents, documents[:2], documents[1:]])
    assert asked == [len(documents)]


def test_page_numbers_are_counted(plain: DeFormerReader) -> None:
    document = Document(content="the city\fparis is a city", meta={"page_number": 3})
    for answer in plain.predict("who", [document])["answers"]:
        assert answer.meta["answer_page_number"] == 3 + (answer.offsets_in_document[0].start > 8)


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


def test_predict_on_texts(plain: DeFormerReader) -> None:
    [best, *_] = plain.predict_on_texts("where", ["paris is a city", "the river"], top_k=1)["answers"]
    assert best.answer
    assert best.context in {"paris is a city", "the river"}
