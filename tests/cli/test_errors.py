"""What a user can mend, in a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from safetensors import SafetensorError
from typer.testing import CliRunner

from haystack_deformer.cli import app
from haystack_deformer.cli.app import clear_errors


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("give another"), "Error: give another\n"),
        (
            ModuleNotFoundError("No module named 'sklearn'", name="sklearn"),
            "Error: No module named 'sklearn': pip install 'haystack-deformer[train]'.\n",
        ),
        (ModuleNotFoundError("No module named 'this'", name="this"), "Error: No module named 'this'\n"),
        (SafetensorError("No space left on device"), "Error: No space left on device\n"),
    ],
)
def test_in_a_line(error: Exception, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as stopped, clear_errors():
        raise error
    assert stopped.value.exit_code == 2
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    "command",
    [
        ["mix", "--data", "{}", "--output", "{}"],
        ["cloze", "--data", "{}", "--output", "{}"],
        ["evaluate", "--data", "{}", "--predictions", "{}", "--model"],
    ],
    ids=lambda command: command[0],
)
def test_what_is_read_is_not_written_over(command: list[str], tiny_deformer: Path, tmp_path: Path) -> None:
    question = {"id": "1", "question": "where", "answers": [{"text": "france", "answer_start": 12}]}
    text = json.dumps({"data": [{"paragraphs": [{"context": "paris is in france", "qas": [question]}]}]})
    path, link = tmp_path / "data.json", tmp_path / "link.json"
    path.write_text(text)
    link.symlink_to(path)
    for output in (path, link):
        names = iter((path, output))
        given = [str(next(names)) if part == "{}" else part for part in command]
        result = CliRunner().invoke(app, [*given, *([str(tiny_deformer)] if command[0] == "evaluate" else [])])
        assert result.exit_code == 2
        assert "would be written over" in result.output
    assert path.read_text() == text


def test_options_are_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, ["train", "--help"]).output
    for name in ("--weight-averaging-ratio", "--questions-per-window", "--no-freeze-embeddings"):
        assert name in shown


def test_what_only_we_can_mend_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), clear_errors():
        raise ZeroDivisionError
