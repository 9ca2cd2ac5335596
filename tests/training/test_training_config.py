"""Settings of a run, kept beside its checkpoints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.training.config import TrainingConfig

CONFIG = TrainingConfig(model="some/model", train=("a.json", "b.json"), lower_layers=4)


def test_same_settings_go_on(tmp_path: Path) -> None:
    CONFIG.save(tmp_path / "new" / "folder")
    CONFIG.check_resumable(tmp_path / "new" / "folder")
    replace(CONFIG).check_resumable(tmp_path / "new" / "folder")


def test_folder_without_a_run_is_begun(tmp_path: Path) -> None:
    CONFIG.check_resumable(tmp_path)
    CONFIG.check_resumable(tmp_path / "not there")


@pytest.mark.parametrize(
    "values",
    [{"learning_rate": 1e-3}, {"lower_layers": 5}, {"train": ("a.json",)}, {"seed": 7}, {"bf16": True}, {"model": "b"}],
    ids=lambda values: next(iter(values)),
)
def test_other_settings_are_named(tmp_path: Path, values: dict[str, Any]) -> None:
    CONFIG.save(tmp_path)
    with pytest.raises(ValueError, match="--no-resume") as error:
        replace(CONFIG, **values).check_resumable(tmp_path)
    ((name, value),) = values.items()
    value = list(value) if isinstance(value, tuple) else value
    assert f"{name}: {getattr(CONFIG, name)!r} then".replace("(", "[").replace(")", "]") in str(error.value).replace(
        "(", "["
    ).replace(")", "]")
    assert f"{value!r} now" in str(error.value)
    # what is the same is not named
    assert "max_seq_len" not in str(error.value)


def test_every_setting_counts(tmp_path: Path) -> None:
    """A field that is added later and forgotten in the file would let a run go on with another value."""
    CONFIG.save(tmp_path)
    written = (tmp_path / "training_config.json").read_text(encoding="utf-8")
    assert all(f'"{name}"' in written for name in CONFIG.__dataclass_fields__)


def test_a_setting_from_after_a_run_has_its_default(tmp_path: Path) -> None:
    CONFIG.save(tmp_path)
    path = tmp_path / "training_config.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    del kept["cut_warmup_ratio"]
    path.write_text(json.dumps(kept), encoding="utf-8")
    CONFIG.check_resumable(tmp_path)
    assert CONFIG.is_kept_in(tmp_path)
    with pytest.raises(ValueError, match=r"cut_warmup_ratio: 0.0 then, 0.5 now"):
        replace(CONFIG, cut_warmup_ratio=0.5).check_resumable(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cut_warmup_ratio": 1.0}, "cut_warmup_ratio is a share of the steps from 0 up to 1, got 1.0"),
        ({"cut_warmup_ratio": 0.5, "freeze_lower": True}, "give one of them"),
        ({"ce_weight": -0.1}, "ce_weight must be 0 or more, got -0.1"),
        ({"kd_weight": float("nan")}, "kd_weight must be 0 or more, got nan"),
        ({"lrs_weight": float("inf")}, "lrs_weight must be 0 or more, got inf"),
        ({"ce_weight": 0, "kd_weight": 0, "lrs_weight": 0.0}, "are all 0: nothing would be learnt"),
        ({"temperature": 0.0}, "temperature must be positive, got 0.0"),
        ({"held_out": 1.0}, r"held_out is a share .* got 1\.0"),
        ({"hidden_dropout": 1.0}, r"hidden_dropout is a share .* got 1\.0"),
        ({"attention_dropout": -0.1}, r"attention_dropout is a share .* got -0\.1"),
        ({"questions_per_window": 0}, "questions_per_window must be at least 1, got 0"),
        ({"freeze_lower": True, "lower_layers": 0}, "give a cut of 1 or more"),
        ({"hard_negatives": -1.0}, r"hard_negatives is a number of passages .* got -1\.0"),
        ({"hard_negatives": float("nan")}, "hard_negatives is a number of passages"),
        ({"max_steps": 0}, "max_steps is a number of steps from 1 on, or -1 for whole passes, got 0"),
        ({"max_steps": -2}, "max_steps is a number of steps .* got -2"),
        ({"num_train_epochs": 0.0}, r"num_train_epochs must be more than 0, got 0\.0"),
        ({"num_train_epochs": float("nan")}, "num_train_epochs must be more than 0, got nan"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"learning_rate": 0.0}, r"learning_rate must be more than 0, got 0\.0: nothing would be learnt"),
        ({"learning_rate": float("nan")}, "learning_rate must be more than 0, got nan"),
        ({"warmup_ratio": 1.5}, r"warmup_ratio is a share of the steps from 0 to 1, got 1\.5"),
        ({"weight_decay": -0.1}, r"weight_decay must be 0 or more, got -0\.1"),
        ({"seed": -1}, "seed must be a whole number from 0 up to .*, got -1"),
    ],
)
def test_settings_that_cannot_be_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **values)


def test_another_number_of_processes_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    CONFIG.save(tmp_path)
    CONFIG.check_resumable(tmp_path)
    monkeypatch.delenv("WORLD_SIZE")
    with pytest.raises(ValueError, match="processes: 2 then, 1 now"):
        CONFIG.check_resumable(tmp_path)
    # what they made is the model of these settings all the same
    assert CONFIG.is_kept_in(tmp_path)


@pytest.mark.parametrize("damage", ["", "{", "[1]"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    CONFIG.save(tmp_path)
    (tmp_path / "training_config.json").write_text(damage)
    for read in (CONFIG.check_resumable, CONFIG.is_kept_in):
        with pytest.raises(ValueError, match=r"training_config\.json' is damaged, .* remove it"):
            read(tmp_path)


def test_paths_are_kept_as_text(tmp_path: Path) -> None:
    config = replace(CONFIG, model=tmp_path, teacher=tmp_path, train=(tmp_path / "a.json",), unlabelled=tmp_path / "b")
    assert (config.model, config.teacher) == (str(tmp_path), str(tmp_path))
    assert (config.train, config.unlabelled) == ((str(tmp_path / "a.json"),), (str(tmp_path / "b"),))
    assert replace(CONFIG, train="a.json").train == ("a.json",)
    assert replace(CONFIG, train=["a.json"]).train == ("a.json",)
    config.save(tmp_path / "folder")
    config.check_resumable(tmp_path / "folder")
