"""Files in SQuAD format: what is read, what is counted, what is refused and where."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any, ClassVar

import pytest

from haystack_deformer.squad import SquadExample, load_passages, load_squad, split_held_out

CONTEXT = "Paris is the capital of France. Berlin is a city."


def question(text: str = "What is the capital?", *answers: tuple[str, int], **values: Any) -> dict[str, Any]:
    return {
        "id": "q",
        "question": text,
        "answers": [{"text": answer, "answer_start": start} for answer, start in answers],
        **values,
    }


def squad(*questions: dict[str, Any], context: str = CONTEXT) -> dict[str, Any]:
    return {"version": "x", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": list(questions)}]}]}


GOOD = question("What is the capital?", ("Paris", 0), id="good")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "squad.json"


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


class TestReading:
    def test_plain(self, file: Path) -> None:
        examples, report = load_squad(write(file, squad(GOOD)))
        assert examples == [SquadExample("good", "What is the capital?", CONTEXT, (("Paris", 0),), ("Paris",))]
        assert (report.questions, report.unanswerable, report.misplaced, report.blank) == (1, 0, [], [])

    @pytest.mark.parametrize("name", ["squad.json.gz", "squad.json", "squad"])
    def test_gzip_whatever_its_name(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        path.write_bytes(gzip.compress(json.dumps(squad(GOOD)).encode()))
        assert [example.id for example in load_squad(str(path))[0]] == ["good"]

    def test_several_files_in_their_order(self, tmp_path: Path) -> None:
        one = write(tmp_path / "1.json", squad({**GOOD, "id": "1"}, {**GOOD, "id": "2"}))
        other = write(tmp_path / "2.json", squad({**GOOD, "id": "3"}))
        examples, report = load_squad([other, one])
        assert [example.id for example in examples] == ["3", "1", "2"]
        assert report.questions == 3

    def test_byte_order_mark_and_any_unicode(self, file: Path) -> None:
        content = squad(question("Où?", ("Café 😀", 3)), context="Au Café 😀 de Flore")
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8-sig")
        ((example,), _) = load_squad(file)
        assert example.answers == (("Café 😀", 3),)

    def test_question_without_an_id_gets_one_of_its_own(self, file: Path) -> None:
        anonymous = {name: value for name, value in GOOD.items() if name != "id"}
        examples, _ = load_squad(write(file, squad(anonymous, anonymous)))
        assert len({example.id for example in examples}) == 2

    def test_all_answers_that_stand_are_kept(self, file: Path) -> None:
        answers = ("Paris", 0), ("Paris is", 0), ("Paris", 3)
        ((example,), report) = load_squad(write(file, squad(question("Which?", *answers))))
        assert example.answers == (("Paris", 0), ("Paris is", 0))
        assert report.misplaced == []


class TestCounting:
    def test_unanswerable(self, file: Path) -> None:
        content = squad(
            GOOD,
            question("No answers?", id="none"),
            question("Impossible?", ("Paris", 0), id="impossible", is_impossible=True),
            {"id": "bare", "question": "Impossible, no list?", "is_impossible": True},
        )
        examples, report = load_squad(write(file, content))
        assert [example.answers for example in examples] == [(("Paris", 0),), (), (), ()]
        assert (report.questions, report.unanswerable) == (4, 3)

    @pytest.mark.parametrize(
        "answer",
        [("Paris", 1), ("paris", 0), ("Paris", -49), ("Berlin", 4000), ("", 0)],
        ids=["next", "case", "negative", "beyond", "empty"],
    )
    def test_misplaced_is_reported(self, file: Path, answer: tuple[str, int], caplog: pytest.LogCaptureFixture) -> None:
        examples, report = load_squad(write(file, squad(GOOD, question("Where?", answer, id="lost"))))
        assert [example.id for example in examples] == ["good"]
        assert report.misplaced == ["lost"]
        assert report.questions == 1
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert "1 dropped whose answer is not at its answer_start (lost)" in record.getMessage()

    def test_blank_is_reported(self, file: Path, caplog: pytest.LogCaptureFixture) -> None:
        content = squad(GOOD, question(" \n", ("Paris", 0), id="blank question"))
        content["data"] += squad(question("Which?", id="blank passage"), context="  ")["data"]
        examples, report = load_squad(write(file, content))
        assert [example.id for example in examples] == ["good"]
        assert report.blank == ["blank question", "blank passage"]
        assert "2 dropped that are blank" in caplog.text

    def test_long_lists_are_cut_in_the_message(self, file: Path) -> None:
        lost = [question("Where?", ("Rome", 0), id=f"lost-{number}") for number in range(5)]
        _, report = load_squad(write(file, squad(GOOD, *lost)))
        assert "5 dropped" in str(report)
        assert "(lost-0, lost-1, lost-2, ...)" in str(report)
        assert len(report.misplaced) == 5

    def test_nothing_dropped_is_no_warning(self, file: Path, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        load_squad(write(file, squad(GOOD)))
        assert [record.levelno for record in caplog.records] == [logging.INFO]

    @pytest.mark.parametrize(
        "content", [{"data": []}, squad(), squad(question("?", ("Rome", 0)))], ids=["empty", "no question", "misplaced"]
    )
    def test_no_usable_question_is_refused(self, file: Path, content: Any) -> None:
        with pytest.raises(ValueError, match=rf"No question can be used in .*{file.name}"):
            load_squad(write(file, content))

    def test_no_file_is_refused(self) -> None:
        with pytest.raises(ValueError, match="No question can be used in no file"):
            load_squad([])


class TestBadFiles:
    def test_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
            load_squad(tmp_path / "nowhere.json")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=tmp_path.name):
            load_squad(tmp_path)

    @pytest.mark.parametrize("compress", [False, True])
    def test_truncated(self, file: Path, compress: bool) -> None:
        data = json.dumps(squad(GOOD)).encode()
        file.write_bytes((gzip.compress(data) if compress else data)[:-20])
        with pytest.raises(ValueError, match=rf"{file.name}' is not a whole JSON file"):
            load_squad(file)

    def test_every_flipped_byte_of_a_gzip_is_met(self, file: Path) -> None:
        data = gzip.compress(json.dumps(squad(GOOD)).encode(), mtime=0)
        refused = 0
        for position in range(10, len(data)):
            file.write_bytes(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :])
            with pytest.raises(ValueError, match=f"{file.name}"):
                load_squad(file)
            refused += 1
        assert refused > 100

    @pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe\x00", b"{}{}"], ids=repr)
    def test_no_json(self, file: Path, content: bytes) -> None:
        file.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{file.name}' is not a whole JSON file"):
            load_squad(file)

    @pytest.mark.parametrize("content", [[], {}, {"data": {}}, 5], ids=repr)
    def test_no_squad(self, file: Path, content: Any) -> None:
        with pytest.raises(ValueError, match=rf"{file.name}' is not in SQuAD format"):
            load_squad(write(file, content))

    @pytest.mark.parametrize(
        ("path", "place"),
        [
            (["data", 1, "paragraphs"], r"data\[1\]"),
            (["data", 1, "paragraphs", 0, "context"], r"data\[1\]\.paragraphs\[0\]"),
            (["data", 1, "paragraphs", 0, "qas"], r"data\[1\]\.paragraphs\[0\]"),
            (["data", 1, "paragraphs", 0, "qas", 1, "question"], r"data\[1\]\.paragraphs\[0\]\.qas\[1\]"),
            (["data", 1, "paragraphs", 0, "qas", 1, "answers"], r"data\[1\]\.paragraphs\[0\]\.qas\[1\]"),
            (
                ["data", 1, "paragraphs", 0, "qas", 1, "answers", 0, "text"],
                r"data\[1\]\.paragraphs\[0\]\.qas\[1\]\.answers\[0\]",
            ),
            (
                ["data", 1, "paragraphs", 0, "qas", 1, "answers", 0, "answer_start"],
                r"data\[1\]\.paragraphs\[0\]\.qas\[1\]\.answers\[0\]",
            ),
        ],
        ids=lambda value: str(value[-1]) if isinstance(value, list) else "",
    )
    @pytest.mark.parametrize("null", [False, True], ids=["lacks it", "is null"])
    def test_field_is_named_with_its_place(self, file: Path, path: list[Any], place: str, null: bool) -> None:
        content = json.loads(json.dumps({"data": [*squad(GOOD)["data"], *squad(GOOD, GOOD)["data"]]}))
        value = content
        for step in path[:-1]:
            value = value[step]
        if null:
            value[path[-1]] = None
            message = rf"{file.name}: {place}\.{path[-1]} is no "
        else:
            del value[path[-1]]
            message = rf"{file.name}: {place} lacks the field '{path[-1]}'"
        with pytest.raises(ValueError, match=message):
            load_squad(write(file, content))

    def test_answers_as_datasets_writes_them_are_refused(self, file: Path) -> None:
        content = squad({**GOOD, "answers": {"text": ["Paris"], "answer_start": [0]}})
        with pytest.raises(ValueError, match=r"qas\[0\]\.answers is no list"):
            load_squad(write(file, content))


def test_single_misplaced_answers_are_counted(tmp_path: Path) -> None:
    answers = [{"text": "Paris", "answer_start": 0}, {"text": "Berlin", "answer_start": 1}]
    question = {"id": "1", "question": "what", "answers": answers}
    nowhere = {"id": "2", "question": "what", "answers": answers[1:]}
    content = {"data": [{"paragraphs": [{"context": CONTEXT, "qas": [question, nowhere]}]}]}
    (tmp_path / "squad.json").write_text(json.dumps(content))
    [example], report = load_squad(tmp_path / "squad.json")
    assert (example.answers, example.gold) == ((("Paris", 0),), ("Paris", "Berlin"))
    assert (report.questions, report.misplaced_answers, report.misplaced) == (1, 1, ["2"])
    assert "1 answers of theirs are not at their answer_start; 1 dropped" in str(report)
    examples, report = load_squad(tmp_path / "squad.json", keep_misplaced=True)
    assert [example.gold for example in examples] == [("Paris", "Berlin"), ("Berlin",)]
    assert (report.questions, report.unanswerable, report.misplaced_answers, report.misplaced) == (2, 0, 2, [])


class TestSplitHeldOut:
    examples: ClassVar[list[SquadExample]] = [
        SquadExample(f"{number}-{question}", "which", f"passage {number}", ())
        for number in range(1000)
        for question in range(2)
    ]

    def test_by_passage_and_whole(self) -> None:
        train, held_out = split_held_out(self.examples, 0.2)
        assert {example.id for example in [*train, *held_out]} == {example.id for example in self.examples}
        assert {example.context for example in train}.isdisjoint(example.context for example in held_out)
        assert 0.16 < len(held_out) / len(self.examples) < 0.24

    def test_a_passage_is_always_on_the_same_side(self) -> None:
        _, held_out = split_held_out(self.examples, 0.2)
        assert split_held_out(self.examples[::-7], 0.2)[1] == [x for x in self.examples[::-7] if x in held_out]
        assert {x.id for x in split_held_out(self.examples, 0.1)[1]} < {x.id for x in held_out}

    def test_none_and_all(self) -> None:
        assert split_held_out(self.examples, 0) == (self.examples, [])
        assert split_held_out(self.examples, 1) == ([], self.examples)


def test_questions_of_one_id_are_told_apart(tmp_path: Path) -> None:
    """As those of XQuAD in two languages, or of two files of one name."""
    paths = []
    for folder, ids in (("en", ["1", None]), ("de", ["1", None]), ("fr", ["1", "1#2"])):
        qas = [{"id": name, "question": "who", "answers": []} for name in ids]
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / "dev.json")
        paths[-1].write_text(json.dumps({"data": [{"paragraphs": [{"context": folder, "qas": qas}]}]}))
    examples, report = load_squad(paths)
    names = ["1", "dev.json:1", "1#2", "dev.json:1#2", "1#3", "1#2#2"]
    assert [(example.id, example.context) for example in examples] == list(
        zip(names, ["en", "en", "de", "de", "fr", "fr"], strict=True)
    )
    assert "4 have an id that another one has" in str(report)


def test_passages_are_read_without_their_questions(tmp_path: Path) -> None:
    path = tmp_path / "passages.json"
    paragraphs = [{"context": "a river", "qas": [{"question": 7}]}, {"context": "a city"}]
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    assert load_passages(path) == ["a river", "a city"]
    path.write_text(json.dumps({"data": [{"paragraphs": [{"qas": []}]}]}))
    with pytest.raises(ValueError, match=r"passages\.json: data\[0\]\.paragraphs\[0\] lacks the field 'context'"):
        load_passages(path)


def test_questions_without_labels_need_no_answers(tmp_path: Path) -> None:
    qas = [{"id": "1", "question": "which"}, {"id": "2", "question": "who", "answers": [{"text": 7}]}]
    path = tmp_path / "unlabelled.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "a river", "qas": qas}]}]}))
    examples, report = load_squad(path, labelled=False)
    assert [(x.id, x.answers, x.labelled) for x in examples] == [("1", (), False), ("2", (), False)]
    assert (report.questions, report.unanswerable) == (2, 0)
    with pytest.raises(ValueError, match="'answers'"):
        load_squad(path)


def test_thousands_of_one_id(tmp_path: Path) -> None:
    """In time that grows with their number, not with its square: 60,000 took hours."""
    qas = [{"id": "", "question": "who", "answers": []} for _ in range(60_000)]
    path = tmp_path / "made.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "paris", "qas": qas}]}]}))
    examples, report = load_squad([path])
    assert (len({example.id for example in examples}), report.renamed) == (60_000, 59_999)
