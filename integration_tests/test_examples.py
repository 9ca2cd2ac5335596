"""The examples, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.evaluation import predict_answers
from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import load_encoder
from haystack_deformer.squad import SquadExample, load_squad, split_held_out
from haystack_deformer.training.distillation import check_teacher

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


def test_full_model_may_teach_the_quickstarts() -> None:
    full, student = (load_encoder(ROOT / "examples" / "models" / f"deformer-minilm-l6-k{cut}") for cut in (0, 4))
    assert (full.model.lower_layers, student.model.lower_layers) == (0, 4)
    check_teacher(full.model, full.tokenizer, student.model, student.tokenizer)
    asked = [SquadExample("when", "When was the Eiffel Tower built?", CONTEXT, (("1889", CONTEXT.index("1889")),))]
    for encoder in (full, student):
        assert predict_answers(encoder, asked, ["Flat"], progress_bar=False) == {"Flat": {"when": "1889"}}


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


CAPITALS = {"paris": "france", "berlin": "germany", "python": "reader"}


@pytest.fixture
def capitals(tmp_path: Path) -> Path:
    """Eighteen passages in SQuAD format, easy enough for a tiny model to learn in seconds."""
    paragraphs = [
        {
            "context": f"{capital} is the capital of {country} {'the ' * number}".strip(),
            "qas": [
                {
                    "id": f"{capital}-{number}",
                    "question": f"what is the capital of {country}",
                    "answers": [{"text": capital, "answer_start": 0}],
                }
            ],
        }
        for number in range(6)
        for capital, country in CAPITALS.items()
    ]
    path = tmp_path / "capitals.json"
    path.write_text(json.dumps({"data": [{"title": "capitals", "paragraphs": paragraphs}]}))
    return path


def test_training(capitals: Path, make_tiny_bert: Any, tmp_path: Path) -> None:
    model = make_tiny_bert(layers=4, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    output = tmp_path / "student"
    command = ["examples/training/distil.py", "--model", model, "--train", capitals, "--output", output]
    command += ["--held-out", "0.3", "--max-steps", "20", "--batch-size", "8", "--learning-rate", "3e-3"]
    out = run(*command)

    # the cut by default: three of four layers
    student = DeFormerForQuestionAnswering.from_pretrained(output)
    assert (student.lower_layers, student.num_layers) == (3, 4)
    assert DeFormerForQuestionAnswering.from_pretrained(output / "teacher").lower_layers == 0

    table = [line for line in (output / "README.md").read_text().splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in table[2:]] == ["teacher, full attention", *["k = 3"] * 3]
    # both learnt the task: these are the figures of trained models
    assert all(float(line.split("|")[3]) > 50 for line in table[2:4])
    assert "\n".join(table) in out

    question, answer, passage = out.partition("Q: ")[2].splitlines()[:3]
    held_out = split_held_out(load_squad(capitals)[0], 0.3)[1]
    assert question == held_out[0].question
    # an untrained reader would answer with any words at all
    assert answer.removeprefix("A: ").split()[0] in CAPITALS
    assert passage.removeprefix("   in: ") in {example.context for example in held_out}

    weights = [output / "teacher" / "model.safetensors", output / "model.safetensors"]
    before = [path.stat().st_mtime_ns for path in weights]
    again = run(*command)
    assert [path.stat().st_mtime_ns for path in weights] == before
    assert again.partition("|")[2] == out.partition("|")[2]


@pytest.mark.parametrize("name", ["quickstart/", "tutorial.ipynb", "pipelines/", "training/", "models/"])
def test_every_example_is_told_of(name: str) -> None:
    assert f"`{name}" in (ROOT / "examples" / "README.md").read_text()
