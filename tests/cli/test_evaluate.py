"""`evaluate` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from haystack_deformer.cli import app


@pytest.fixture
def squad(tmp_path: Path) -> Path:
    qas = [{"id": "1", "question": "which", "answers": [{"text": "paris", "answer_start": 0}]}]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "paris is in france", "qas": qas}]}]}))
    return path


@pytest.mark.parametrize(
    ("share", "message"),
    [("0", "between 0 and 1, got 0.0"), ("5", "between 0 and 1, got 5.0"), ("0.000001", "None of the 1 questions")],
)
def test_a_share_that_holds_nothing_out(tiny_deformer: Path, squad: Path, share: str, message: str) -> None:
    result = CliRunner().invoke(
        app, ["evaluate", "--model", str(tiny_deformer), "--data", str(squad), "--held-out", share]
    )
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("paris", "is not JSON"),
        ('["1"]', "must hold one JSON object with an answer, text, for each question's id"),
        ('{"1": [{"text": "paris"}]}', "must hold one JSON object"),
    ],
)
def test_a_baseline_that_holds_no_answers(
    tiny_deformer: Path, squad: Path, tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "baseline.json").write_text(content)
    arguments = ["--model", str(tiny_deformer), "--data", str(squad), "--baseline", str(tmp_path / "baseline.json")]
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_predictions_into_a_folder(tiny_deformer: Path, squad: Path, tmp_path: Path) -> None:
    arguments = ["--model", str(tiny_deformer), "--data", str(squad), "--predictions", str(tmp_path)]
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert result.exit_code == 2
    assert "is a folder: give the name of a file" in " ".join(result.output.split())


def test_predictions_in_a_new_folder(tiny_deformer: Path, squad: Path, tmp_path: Path) -> None:
    answers = tmp_path / "new" / "answers.json"
    arguments = ["evaluate", "--model", str(tiny_deformer), "--data", str(squad), "--predictions", str(answers)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert set(json.loads(answers.read_text())) == {"1"}


def test_predictions_with_half_of_a_character(tiny_deformer: Path, tmp_path: Path) -> None:
    squad, answers = tmp_path / "squad.json", tmp_path / "answers.json"
    qas = [{"id": "\ud83d", "question": "which", "answers": [{"text": "paris", "answer_start": 0}]}]
    squad.write_text(json.dumps({"data": [{"paragraphs": [{"context": "paris \ud83d is", "qas": qas}]}]}))
    arguments = ["evaluate", "--model", str(tiny_deformer), "--data", str(squad), "--predictions", str(answers)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert set(json.loads(answers.read_text(encoding="utf-8"))) == {"\ud83d"}
