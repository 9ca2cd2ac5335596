"""The options of `train` and `distil`, and the settings that they make."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from haystack_deformer.cli import app
from haystack_deformer.cli.training_options import SETTINGS
from haystack_deformer.passages import load_encoder
from haystack_deformer.training import recipe, run
from haystack_deformer.training.config import TrainingConfig

REQUIRED = ["--model", "m", "--train", "a.json", "--train", "b.json", "--lower-layers", "9", "--output", "o"]
OF_TRAIN = {"output", "fp16_weights", "teacher_outputs", "checkpoints", "save_steps", "resume"}
OF_DISTIL = {"output", "fp16_weights", "teacher_outputs", "save_steps", "teacher_epochs", "eval_data"}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the functions behind the commands are called with."""
    calls: list[tuple[Any, ...]] = []
    for module, name in ((run, "train"), (recipe, "distil")):
        monkeypatch.setattr(module, name, lambda *args, **values: calls.append((*args, values)))
    return calls


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_every_setting_has_an_option() -> None:
    assert set(SETTINGS) == {field.name for field in fields(TrainingConfig)} - {"max_grad_norm"}
    commands: Any = get_command(app)
    for name, own in (("train", OF_TRAIN), ("distil", OF_DISTIL)):
        options = {option.name: option for option in commands.commands[name].params}
        assert set(options) == set(SETTINGS) | own
        assert all(option.help for option in options.values())
        assert [option.name for option in options.values() if option.required] == [
            *("model", "train", "lower_layers", "output"),
        ]


def test_defaults_are_the_settings_own(called: list[tuple[Any, ...]]) -> None:
    assert invoke("train", *REQUIRED)[0] == 0
    [(config, output, values)] = called
    assert config == TrainingConfig("m", ("a.json", "b.json"), 9)
    assert output == Path("o")
    assert values == {
        "checkpoints": None,
        "save_steps": 500,
        "resume": True,
        "teacher_outputs": None,
        "dtype": None,
    }


def test_options_become_settings(called: list[tuple[Any, ...]]) -> None:
    options = ["--teacher", "t", "--unlabelled", "u.json", "--bf16", "--learning-rate", "1e-3", "--max-steps", "7"]
    assert invoke("train", *REQUIRED, *options, "--no-resume")[0] == 0
    [(config, _, values)] = called
    assert config == TrainingConfig(
        *("m", ("a.json", "b.json"), 9),
        teacher="t",
        unlabelled=("u.json",),
        bf16=True,
        learning_rate=1e-3,
        max_steps=7,
    )
    assert values["resume"] is False


def test_distil_has_defaults_and_a_teacher_of_its_own(called: list[tuple[Any, ...]]) -> None:
    code, _ = invoke("distil", *REQUIRED, "--teacher", "t", "--eval-data", "e.json", "--unlabelled", "u.json")
    assert code == 0
    [(config, _, values)] = called
    assert config == TrainingConfig("m", ("a.json", "b.json"), 9, held_out=0.05, unlabelled=("u.json",))
    assert values["teacher"] == Path("t")
    assert values["eval_data"] == [Path("e.json")]


def test_the_command_that_warnings_advise_trains_that_model(
    make_tiny_bert: Any, tmp_path: Path, called: list[tuple[Any, ...]], caplog: pytest.LogCaptureFixture
) -> None:
    """Of a model without a cut, and of one that is asked for another cut than its own."""
    model = tmp_path / "a model"
    shutil.copytree(make_tiny_bert(layers=4), model)
    load_encoder(model)
    load_encoder(model, lower_layers=2)
    load_encoder(model, lower_layers=0)
    commands = re.findall("`(.*)`", caplog.text)
    for command in commands:
        name, *arguments = shlex.split(command)
        assert name == "haystack-deformer"
        assert invoke(*arguments) == (0, "The model is in FOLDER.\n")
    assert [config for config, *_ in called] == [TrainingConfig(str(model), ("SQUAD.json",), k) for k in (3, 2, 0)]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--held-out", "1"], "Error: held_out is a share"),
        (["--temperature", "0"], "Error: temperature must be positive"),
        (["--questions-per-window", "0"], "Invalid value for '--questions-per-window'"),
    ],
)
@pytest.mark.parametrize("command", ["train", "distil"])
def test_what_cannot_be_is_a_line(called: list[tuple[Any, ...]], command: str, option: list[str], message: str) -> None:
    code, output = invoke(command, *REQUIRED, *option)
    assert code == 2
    assert message in " ".join(output.replace("│", "").split())
    assert not called
