"""The examples, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTEXT = "The Eiffel Tower was built in Paris in 1889 by the company of Gustave Eiffel."


def run(*arguments: str | Path) -> str:
    command = [sys.executable, *map(str, arguments)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_in_python() -> None:
    out = run("examples/pipelines/in_python.py", "When was the Eiffel Tower built?")
    assert "1889" in out.splitlines()[0]
    assert "'computed': 0" in out


def test_in_yaml(tmp_path: Path) -> None:
    (tmp_path / "tower.txt").write_text(CONTEXT)
    script = f"""
import haystack_deformer
from haystack import Pipeline
path = "examples/pipelines/pipelines.yaml"
indexing = Pipeline.load_from_yaml(path, pipeline_name="indexing")
query = Pipeline.load_from_yaml(path, pipeline_name="query")
# pipelines that are loaded apart have a store each: the one that was written to is handed on
store = indexing.get_node("DocumentStore")
query.get_node("Retriever").document_store = store
indexing.run(file_paths=[{str(tmp_path / "tower.txt")!r}])
print(query.run(query="When was the Eiffel Tower built?")["answers"][0].answer)
"""
    assert "1889" in run("-c", script)


def test_evaluation(tmp_path: Path) -> None:
    answers = [{"text": "1889", "answer_start": CONTEXT.index("1889")}]
    qas = [{"id": "1", "question": "When was the Eiffel Tower built?", "answers": answers}]
    data = {"data": [{"title": "t", "paragraphs": [{"context": CONTEXT, "qas": qas}]}]}
    (tmp_path / "dev.json").write_text(json.dumps(data))
    lines = run("examples/pipelines/evaluation.py", tmp_path / "dev.json").splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith(("Retriever", "Reader"))] == [
        "Retriever, integrated",
        "Reader, integrated",
        "Reader, isolated",
    ]
    assert "'exact_match': 1.0" in lines[-1] or "'f1': 1.0" in lines[-1]


@pytest.mark.parametrize("name", ["quickstart", "pipelines", "models"])
def test_every_folder_is_told_of(name: str) -> None:
    assert f"`{name}/" in (ROOT / "examples" / "README.md").read_text()
