"""The notebook, as Jupyter runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"

FACTS = """
import json
print(json.dumps({
    "documents": len({document.content for document in documents}),
    "stored": stored["count"],
    "retrieved": len({document.content for document in result["documents"]}),
    "runtime": runtime,
    "answers": [(a.answer, a.score) for a in result["answers"]],
    "medians": medians,
    "exact": statistics.mean(exact),
    "f1": statistics.mean(f1),
    "again": [(a.answer, a.score) for a in again["answers"]],
    "runtime_again": again["_debug"]["Reader"]["runtime"],
}))
"""


@pytest.fixture(scope="module")
def notebook() -> Any:
    return nbformat.read(EXAMPLES / "tutorial.ipynb", as_version=4)


@pytest.fixture(scope="module")
def facts(notebook: Any) -> dict[str, Any]:
    """What its variables hold after a run."""
    run = nbformat.from_dict({**notebook, "cells": [*notebook.cells, nbformat.v4.new_code_cell(FACTS)]})
    NotebookClient(run, timeout=300, startup_timeout=180, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    return json.loads(run.cells[-1].outputs[0].text)


def test_no_outputs_are_kept(notebook: Any) -> None:
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_states_are_stored_and_found(facts: dict[str, Any]) -> None:
    assert facts["stored"] == facts["documents"] > 10
    # equal texts are read once
    assert facts["runtime"]["found"] == facts["retrieved"] > 5
    assert facts["runtime"]["computed"] == 0


def test_the_reader_is_faster(facts: dict[str, Any]) -> None:
    assert facts["medians"]["DeFormerReader"] < facts["medians"]["FARMReader"]


def test_it_answers(facts: dict[str, Any]) -> None:
    assert len(facts["answers"]) == 3
    assert any("once" in text for text, _ in facts["answers"])
    # random words of these chapters would be right in none
    assert facts["exact"] >= 0.15
    assert facts["f1"] >= 0.1


def test_what_was_saved_answers_the_same(facts: dict[str, Any]) -> None:
    assert facts["again"] == [[text, pytest.approx(score, abs=1e-5)] for text, score in facts["answers"]]
    assert (facts["runtime_again"]["found"], facts["runtime_again"]["computed"]) == (facts["retrieved"], 0)
