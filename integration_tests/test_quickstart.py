"""The quickstart as `make quickstart` runs it, on a small corpus and on a part of its own, with the shipped weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest

from haystack_deformer.corpus import CorpusIndex, IndexSettings, text_documents

ROOT = Path(__file__).resolve().parents[1]
QUICKSTART = ROOT / "examples" / "quickstart"
MODEL = ROOT / "examples" / "models" / "deformer-minilm-l6-k4"


@pytest.fixture(scope="module")
def questions() -> list[dict[str, Any]]:
    return json.loads((QUICKSTART / "questions.json").read_text(encoding="utf-8"))["questions"]


def run(**environment: str | Path) -> str:
    result = subprocess.run(
        [sys.executable, QUICKSTART / "run.py"],
        env={**os.environ, **{name: str(value) for name, value in environment.items()}},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "tower.md").write_text(
        "# The tower\n\nThe Eiffel Tower was completed in 1889. It was designed by the company of Gustave Eiffel."
    )
    (texts / "bridge.txt").write_text("The Golden Gate Bridge in San Francisco opened in 1937.")
    asked = {"DOCS": texts, "INDEX": tmp_path / "index", "QUESTION": "When was the Eiffel Tower completed?"}
    first = run(**asked)
    assert "2 passages new, 0 found with their states stored" in first
    assert "**1889**" in first
    assert "in tower.md" in first
    for part in ("retrieved", "states read", "upper layers"):
        assert f"{part} " in first.splitlines()[-2]
    second = run(**asked)
    assert "0 passages new, 2 found with their states stored" in second
    assert "**1889**" in second
    assert "states computed" not in second


def test_every_answer_stands_in_its_topic(questions: list[dict[str, Any]]) -> None:
    assert len(questions) >= 30
    for entry in questions:
        text = " ".join(topics[entry["topic"]].split())
        assert any(answer in text for answer in entry["answers"]), entry


def test_questions_on_some_topics(questions: list[dict[str, Any]], tmp_path: Path) -> None:
    """The shipped weights answer: of the questions on eight topics the first answer holds or is held by a right one."""
    chosen = ["assert", "break", "calls", "class", "continue", "del", "return", "with"]
    corpus = CorpusIndex(tmp_path, IndexSettings(model=str(MODEL)))
    corpus.sync(text_documents({name: topics[name] for name in chosen}))
    asked = [entry for entry in questions if entry["topic"] in chosen]
    right = 0
    for entry in asked:
        [best] = corpus.ask(entry["question"], top_k=1).answers
        answer = " ".join(best.answer.split())
        right += any(gold in answer or answer in gold for gold in entry["answers"])
    assert right >= len(asked) / 3, f"{right} of {len(asked)}"
