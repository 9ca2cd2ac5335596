"""The shell's commands, one after the other as a user runs them, each in a process of its own."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def run(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "haystack_deformer.cli", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == code, result.stderr
    assert code == 0 or "Traceback" not in result.stderr
    return result


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    context = "paris is the capital of france"
    questions = [
        {"id": "1", "question": "what is the capital of france", "answers": [{"text": "paris", "answer_start": 0}]},
        {"id": "2", "question": "where is paris", "answers": [{"text": "france", "answer_start": 24}]},
        {"id": "3", "question": "where is paris", "answers": [{"text": "berlin", "answer_start": 3}]},
    ]
    path = tmp_path_factory.mktemp("data") / "squad.json.gz"
    data = {"data": [{"title": "t", "paragraphs": [{"context": context, "qas": questions}]}]}
    path.write_bytes(gzip.compress(json.dumps(data).encode()))
    return path


@pytest.fixture(scope="module")
def trained(make_tiny_bert: Any, squad: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # dropout in so small a model keeps it from learning even two questions
    bert = make_tiny_bert(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    output = tmp_path_factory.mktemp("trained") / "model"
    arguments = ["--lower-layers", "2", "--learning-rate", "3e-3", "--batch-size", "2", "--fp16-weights"]
    run("train", "--model", bert, "--train", squad, "--output", output, "--max-steps", "60", *arguments)
    return output


def test_train_and_evaluate(trained: Path, squad: Path, tmp_path: Path) -> None:
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in trained.iterdir()}
    predictions = tmp_path / "predictions.json"
    result = run("evaluate", "--model", trained, "--data", squad, "--codec", "SQ8", "--predictions", predictions)
    assert "1 answers of theirs are not at their answer_start" in result.stderr
    figures = json.loads(result.stdout)
    assert (figures["lower_layers"], figures["codec"], figures["total"]) == (2, "SQ8", 3)
    # sixty steps on two questions: they are known by heart; the third has an answer that is not in its passage
    assert json.loads(predictions.read_text()) == {"1": "paris", "2": "france", "3": "france"}
    assert figures["exact"] == pytest.approx(200 / 3, abs=0.01)


def test_index_and_ask(trained: Path, tmp_path: Path) -> None:
    texts, index = tmp_path / "texts", tmp_path / "index"
    texts.mkdir()
    (texts / "france.md").write_text("paris is the capital of france")
    (texts / "germany.txt").write_text("berlin is a city in germany")
    first = run("index", texts, "--model", trained, "--index", index)
    assert "2 passages new, 0 found with their states stored, 0 removed" in first.stdout
    answer = run("ask", "what is the capital of france", "--index", index, "--top-k", "1").stdout
    assert answer.startswith("paris  (score ")
    assert "**paris** is the capital of france" in answer
    assert "in france.md" in answer
    assert "states computed" not in answer
    (index / "unfinished").touch()
    assert "is not finished" in run("ask", "who", "--index", index, code=2).stderr
    (texts / "germany.txt").unlink()
    (texts / "river.txt").write_text("the river")
    second = run("index", texts, "--model", trained, "--index", index)
    assert "1 passages new, 1 found with their states stored, 1 removed" in second.stdout


def test_errors_are_a_line(tiny_bert: Path, tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.json.gz"
    truncated.write_bytes(gzip.compress(b'{"data": []}')[:-4])
    result = run("evaluate", "--model", tiny_bert, "--data", truncated, code=2)
    assert "truncated.json.gz' is not a whole JSON file" in result.stderr
    assert "No such folder" in run("index", tmp_path / "none", "--model", tiny_bert, code=2).stderr
    assert "No index in" in run("ask", "who", "--index", tmp_path / "none", code=2).stderr
    result = run("evaluate", "--model", tmp_path / "none", "--data", truncated, code=2)
    assert "No model at" in result.stderr


def test_distil_and_compare(make_tiny_bert: Any, squad: Path, tmp_path: Path) -> None:
    bert = make_tiny_bert(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    options = ["--learning-rate", "3e-3", "--batch-size", "2", "--max-steps", "40", "--held-out", "0", "--bf16"]
    output = tmp_path / "student"
    command = ["distil", "--model", bert, "--train", squad, "--lower-layers", "2", "--output", output]
    result = run(*command, *options, "--eval-data", squad)
    assert str(output / "README.md") in result.stdout
    assert "k = 2" in (output / "README.md").read_text()
    answers = tmp_path / "teacher.json"
    run("evaluate", "--model", output / "teacher", "--data", squad, "--predictions", answers)
    figures = json.loads(run("evaluate", "--model", output, "--data", squad, "--baseline", answers).stdout)
    assert set(figures["against_baseline"]) == {"exact", "f1"}
    assert "held_out=0.0" in run(*command, *options, code=2).stderr
