"""What `inspect` says of a model, from its config alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig
from typer.testing import CliRunner

from haystack_deformer.cli import app
from haystack_deformer.inspection import CODECS, inspect_model
from haystack_deformer.modeling.costs import compute_ratio
from tests.modeling.backbones.families import FAMILIES, LAYERS

LENGTHS = {"question_length": 8, "passage_length": 50, "passages": 4}


def test_every_cut_of_a_model(tiny_bert: Path) -> None:
    inspection = inspect_model(tiny_bert, **LENGTHS)
    assert (inspection.model_type, inspection.num_layers, inspection.hidden_size) == ("bert", 4, 32)
    assert inspection.lower_layers is None
    assert [cut.lower_layers for cut in inspection.cuts] == [0, 1, 2, 3]
    config = AutoConfig.from_pretrained(tiny_bert)
    for cut in inspection.cuts:
        assert cut.compute_ratio == compute_ratio(config, cut.lower_layers, **LENGTHS)
        assert cut.milliseconds > 0
        assert cut.speedup == pytest.approx(inspection.cuts[0].milliseconds / cut.milliseconds)


def test_bytes_are_the_codecs(tiny_bert: Path) -> None:
    sizes = inspect_model(tiny_bert, **LENGTHS, repeats=1, codecs=[*CODECS, "PQ8"]).bytes_per_passage
    assert sizes == {"Flat": 50 * 128, "SQfp16": 50 * 64, "SQ8": 50 * 32, "SQ4": 50 * 16, "PQ8": 50 * 8}


def test_recorded_cut(tiny_deformer: Path, caplog: pytest.LogCaptureFixture) -> None:
    inspection = inspect_model(tiny_deformer, **LENGTHS, repeats=1)
    assert inspection.lower_layers == 2
    assert "cut after layer 2" in inspection.to_table()
    assert not caplog.records


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    FAMILIES[name].model().to(dtype).save_pretrained(tmp_path)
    cuts = inspect_model(tmp_path, **LENGTHS, repeats=1).cuts
    assert len(cuts) >= LAYERS
    assert cuts[-1].compute_ratio > 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"passage_length": 513}, "passage_length=513 is more than the 512 positions"),
        ({"question_length": 600}, "question_length=600"),
        ({"passages": 0}, "passages must be at least 1, got 0"),
        ({"repeats": 0}, "repeats must be at least 1"),
        ({"codecs": ["SQ7"]}, "SQ7"),
    ],
    ids=str,
)
def test_what_cannot_be(tiny_bert: Path, values: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        inspect_model(tiny_bert, **{**LENGTHS, **values})


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["inspect", *arguments])
    return result.exit_code, result.output


def test_command_prints_a_table(tiny_bert: Path) -> None:
    code, output = run(str(tiny_bert), "--passage-length", "50", "--passages", "3")
    assert code == 0
    assert "bert, 4 layers, 32 wide, no cut recorded" in output
    assert "3 passages of 50" in output
    assert "SQfp16        3,200 bytes" in output
    assert max(len(line) for line in output.splitlines()[1:]) <= 120


def test_command_prints_json(tiny_bert: Path) -> None:
    code, output = run(str(tiny_bert), "--json", "--codec", "SQ8", "--passage-length", "50")
    assert code == 0
    values = json.loads(output)
    assert values["bytes_per_passage"] == {"SQ8": 1600}
    assert len(values["cuts"]) == 4


def test_command_says_what_is_wrong(tmp_path: Path) -> None:
    code, output = run(str(tmp_path))
    assert code == 2
    assert "Error: The folder" in output
    assert "config.json" in output
