"""FARMReader's methods of evaluation, and parameters that change in use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from haystack.schema import Answer, Document, Label, Span

from haystack_deformer.document_stores import DeFormerFAISSDocumentStore, DeFormerInMemoryDocumentStore
from haystack_deformer.inference.reading import Reading
from haystack_deformer.modeling import DeFormerConfig
from haystack_deformer.nodes import DeFormerReader
from haystack_deformer.reading import TextSpan

PARIS = "paris is the capital of france"
BERLIN = "berlin is a city in germany"
QUESTIONS: list[tuple[str, str, str]] = [
    ("what is the capital", PARIS, "paris"),
    ("which capital of", PARIS, "the capital of france"),
    ("where is the city", BERLIN, "germany"),
    ("who was in the river", BERLIN, ""),
]


@pytest.fixture
def reader(tiny_deformer: Path, monkeypatch: pytest.MonkeyPatch) -> DeFormerReader:
    """A reader whose spans are set: right, overlapping, second best, and one where there is no answer."""
    reader = DeFormerReader(str(tiny_deformer), progress_bar=False)

    def span(text: str, answer: str, margin: float) -> TextSpan:
        start = text.index(answer)
        return TextSpan(start, start + len(answer), margin)

    found = {
        QUESTIONS[0][0]: [span(PARIS, "paris", 6.0)],
        QUESTIONS[1][0]: [span(PARIS, "capital", 3.0)],
        QUESTIONS[2][0]: [span(BERLIN, "berlin", 2.0), span(BERLIN, "germany", 1.0)],
        QUESTIONS[3][0]: [span(BERLIN, "city", 4.0)],
    }

    def read_pairs(questions: Any, texts: Any, pairs: Any, **_: Any) -> Reading:
        return Reading(spans=[found[questions[number]] for number, _ in pairs])

    monkeypatch.setattr(reader._reader, "read_pairs", read_pairs)
    return reader


@pytest.fixture
def store(tiny_deformer: Path) -> DeFormerInMemoryDocumentStore:
    store = DeFormerInMemoryDocumentStore(deformer_model=str(tiny_deformer), progress_bar=False)
    documents = {text: Document(content=text) for text in (PARIS, BERLIN)}
    store.write_documents(list(documents.values()), index="eval_document")
    labels = []
    for query, text, answer in QUESTIONS:
        start = text.index(answer) if answer else 0
        span = [Span(start=start, end=start + len(answer))]
        labels.append(
            Label(
                query=query,
                document=documents[text],
                answer=Answer(answer=answer, offsets_in_document=span, document_ids=[documents[text].id]),
                no_answer=not answer,
                is_correct_answer=True,
                is_correct_document=True,
                origin="gold-label",
            )
        )
    store.write_labels(labels, index="label")
    return store


def file_of_questions(folder: Path) -> None:
    paragraphs = [
        {
            "context": text,
            "qas": [
                {
                    "id": query,
                    "question": query,
                    "answers": [{"text": answer, "answer_start": text.index(answer)}] if answer else [],
                    "is_impossible": not answer,
                }
            ],
        }
        for query, text, answer in QUESTIONS
    ]
    (folder / "dev.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))


@pytest.fixture(params=["labels", "file"])
def figures(
    request: pytest.FixtureRequest, reader: DeFormerReader, store: DeFormerInMemoryDocumentStore, tmp_path: Path
) -> dict[str, Any]:
    if request.param == "labels":
        return reader.eval(store)
    file_of_questions(tmp_path)
    return reader.eval_on_file(tmp_path, "dev.json")


def test_figures_by_hand(figures: dict[str, Any]) -> None:
    assert figures["Total_text_answer"] == 3
    assert figures["Total_no_answer"] == 1
    assert figures["top_n"] == 4
    # the first is right, the second has one word of three ("the" does not count), the third is another word
    assert figures["EM_text_answer"] == pytest.approx(100 / 3)
    assert figures["f1_text_answer"] == pytest.approx((100 + 50 + 0) / 3)
    # one of the first answers overlaps the right one for all three
    assert figures["top_n_accuracy_text_answer"] == 100
    assert figures["top_n_EM_text_answer"] == pytest.approx(200 / 3)
    assert figures["top_n_f1_text_answer"] == pytest.approx((100 + 50 + 100) / 3)
    # "no answer" is the second best of the last
    assert (figures["EM_no_answer"], figures["f1_no_answer"], figures["top_n_accuracy_no_answer"]) == (0, 0, 100)
    assert figures["EM"] == 25
    assert figures["f1"] == pytest.approx(150 / 4)


def test_seconds(figures: dict[str, Any]) -> None:
    assert figures["reader_time"] > 0
    assert figures["seconds_per_query"] == pytest.approx(figures["reader_time"] / 4)


def test_answers_that_do_not_stand_where_they_are_said_to(reader: DeFormerReader, tmp_path: Path) -> None:
    file_of_questions(tmp_path)
    right = reader.eval_on_file(tmp_path, "dev.json")
    data = json.loads((tmp_path / "dev.json").read_text())
    for paragraph in data["data"][0]["paragraphs"]:
        for answer in paragraph["qas"][0]["answers"]:
            answer["answer_start"] += 1
    (tmp_path / "moved.json").write_text(json.dumps(data))
    moved = reader.eval_on_file(tmp_path, "moved.json")
    assert _without_times(moved) == _without_times(right)


def _without_times(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figure for name, figure in figures.items() if name not in {"reader_time", "seconds_per_query"}}


def test_labels_of_users_and_of_documents_that_are_gone_do_not_count(
    reader: DeFormerReader, store: DeFormerInMemoryDocumentStore, tiny_deformer: Path, tmp_path: Path
) -> None:
    sql = DeFormerFAISSDocumentStore(
        sql_url=f"sqlite:///{tmp_path}/documents.db", deformer_model=str(tiny_deformer), progress_bar=False
    )
    sql.write_documents(store.get_all_documents(index="eval_document"), index="eval_document")
    labels = store.get_all_labels(index="label")
    gone = replace(labels[0], id="gone", document=Document(content="a river"))
    said = replace(labels[0], id="said", origin="user-feedback", answer=Answer(answer="berlin"))
    expected = _without_times(reader.eval(store))
    for where in (store, sql):
        where.write_labels([*labels, gone, said], index="label")
        assert _without_times(reader.eval(where)) == expected
        with pytest.raises(ValueError, match=r"No label of the origin 'gold-label' .* has a document in 'nowhere'"):
            reader.eval(where, doc_index="nowhere")


def test_a_boost_for_no_answer_counts(reader: DeFormerReader, store: DeFormerInMemoryDocumentStore) -> None:
    reader.update_parameters(no_ans_boost=5.0)
    figures = reader.eval(store)
    assert figures["EM_no_answer"] == 100
    assert figures["EM_text_answer"] == pytest.approx(100 / 3)


class TestCalibration:
    def test_changes_scores_and_is_kept(
        self, reader: DeFormerReader, store: DeFormerInMemoryDocumentStore, tmp_path: Path
    ) -> None:
        before = reader._answers.config
        figures = reader.eval(store)
        reader.calibrate_confidence_scores(store)
        after = reader._answers.config
        assert (after.score_scale, after.score_shift) != (before.score_scale, before.score_shift)
        # the encoder is shared with other readers, whose scores stay
        assert reader.encoder.model.deformer_config == before
        assert _without_times(reader.eval(store)) == _without_times(figures)
        reader.save(tmp_path / "calibrated")
        again = DeFormerReader(str(tmp_path / "calibrated"), progress_bar=False)
        assert again._answers.config == after
        # the states of the store stay valid
        assert again.encoder.fingerprint == reader.encoder.fingerprint

    def test_on_a_file(self, reader: DeFormerReader, tmp_path: Path) -> None:
        file_of_questions(tmp_path)
        reader.eval_on_file(tmp_path, "dev.json", calibrate_conf_scores=True)
        assert reader._answers.config != DeFormerConfig(2, 62, 20, 20)


def test_a_question_of_nothing_counts_as_not_answered(reader: DeFormerReader, tmp_path: Path) -> None:
    file_of_questions(tmp_path)
    before = reader.eval_on_file(tmp_path, "dev.json")
    data = json.loads((tmp_path / "dev.json").read_text())
    text = data["data"][0]["paragraphs"][0]["context"]
    empty = {"id": "empty", "question": "\u200b", "answers": [{"text": text.split()[0], "answer_start": 0}]}
    data["data"][0]["paragraphs"].insert(0, {"context": text, "qas": [empty]})
    (tmp_path / "dev.json").write_text(json.dumps(data))
    after = reader.eval_on_file(tmp_path, "dev.json")
    assert after["Total_text_answer"] == before["Total_text_answer"] + 1
    assert after["EM_text_answer"] == pytest.approx(before["EM_text_answer"] * 3 / 4)
    assert after["EM_no_answer"] == before["EM_no_answer"]


def test_without_labels_the_remedy_is_named(reader: DeFormerReader, store: DeFormerInMemoryDocumentStore) -> None:
    with pytest.raises(ValueError, match=r"No label of the origin 'user' .*\.add_eval_data"):
        reader.eval(store, label_origin="user")


class TestUpdateParameters:
    def test_take_effect(self, tiny_deformer: Path) -> None:
        reader = DeFormerReader(str(tiny_deformer), progress_bar=False)
        documents = [Document(content=f"{PARIS} {'the river ' * 20}")]
        assert len(reader.predict("what is the capital", documents)["answers"][0].context) == 150
        reader.update_parameters(context_window_size=100, return_no_answer=True, no_ans_boost=1e3)
        answers = reader.predict("what is the capital", documents)["answers"]
        assert answers[0].answer == ""
        assert len(answers[1].context) == max(100, len(answers[1].answer))
        reader.update_parameters(return_no_answer=False)
        answers = reader.predict("what is the capital", documents)["answers"]
        assert answers
        assert all(answer.answer for answer in answers)

    def test_windows_cannot_be_changed(self, tiny_deformer: Path) -> None:
        reader = DeFormerReader(str(tiny_deformer), progress_bar=False)
        reader.update_parameters(max_seq_len=62, doc_stride=20)
        with pytest.raises(ValueError, match="max_seq_len=100 cannot be set on a reader of 62"):
            reader.update_parameters(max_seq_len=100)
        with pytest.raises(ValueError, match="doc_stride=5 cannot be set on a reader of 20"):
            reader.update_parameters(doc_stride=5)
