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

from haystack_deformer import DeFormerReader

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
    (texts / "bridge.txt").write_text("The Golden Gate Bridge is in San Francisco.")
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


FACTS = [
    (
        "The Eiffel Tower was completed in 1889. It was designed by the company of Gustave Eiffel.",
        [
            ("When was the Eiffel Tower completed?", "1889"),
        ],
    ),
    (
        "The Golden Gate Bridge in San Francisco opened in 1937.",
        [
            ("Where is the Golden Gate Bridge?", "San Francisco"),
            ("When did the Golden Gate Bridge open?", "1937"),
        ],
    ),
    (
        "Marie Curie was born in Warsaw and won the Nobel Prize in Physics in 1903.",
        [
            ("Where was Marie Curie born?", "Warsaw"),
            ("When did Marie Curie win the Nobel Prize?", "1903"),
        ],
    ),
    (
        "The Amazon flows through Brazil and Peru; it carries more water than any other river.",
        [
            ("Which river carries more water than any other?", "Amazon"),
        ],
    ),
    (
        "Edmund Hillary and Tenzing Norgay reached the summit of Mount Everest in 1953.",
        [
            ("Who reached the summit of Mount Everest?", "Edmund Hillary and Tenzing Norgay"),
        ],
    ),
    (
        "In 1969 Neil Armstrong became the first person to walk on the Moon.",
        [
            ("Who was the first person to walk on the Moon?", "Neil Armstrong"),
        ],
    ),
]


def test_the_shipped_weights_answer() -> None:
    """Plain questions on one sentence: untrained or damaged weights answer none, these at most one or two wrong."""
    reader = DeFormerReader(str(MODEL), progress_bar=False)
    asked = [(text, question, answer) for text, questions in FACTS for question, answer in questions]
    got = [reader.predict_on_texts(question, [text], top_k=1)["answers"][0].answer for text, question, _ in asked]
    wrong = [(question, found) for (_, question, answer), found in zip(asked, got, strict=True) if found != answer]
    assert len(wrong) <= 2, wrong
