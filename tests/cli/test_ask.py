"""`ask` from the command line: what cannot be asked is a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from haystack_deformer.cli import app
from tests.rest_api.conftest import tiny_sentence_encoder  # noqa: F401


@pytest.fixture
def index(tiny_deformer: Path, tiny_sentence_encoder: Path, tmp_path: Path) -> Path:  # noqa: F811
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "france.md").write_text("paris is the capital of france")
    folder = tmp_path / "index"
    models = ["--model", str(tiny_deformer), "--embedding-model", str(tiny_sentence_encoder)]
    result = CliRunner().invoke(app, ["index", str(texts), "--index", str(folder), *models])
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([""], "Error: The question is empty (''): give at least one word."),
        (["  "], "Error: The question is empty"),
        (["\u200b"], "give at least one word."),
        (["who", "--top-k", "0"], "Invalid value for '--top-k'"),
        (["who", "--top-k-retriever", "0"], "Invalid value for '--top-k-retriever'"),
    ],
    ids=range(5),
)
def test_what_cannot_be_asked_is_a_line(index: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["ask", "--index", str(index), *arguments])
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.replace("│", "").split())
    assert "Traceback" not in result.output
