"""Settings of a run: what cannot be is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.training.config import TrainingConfig

CONFIG = TrainingConfig(model="some/model", train=("a.json", "b.json"), lower_layers=4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cut_warmup_ratio": 1.0}, "cut_warmup_ratio is a share of the steps from 0 up to 1, got 1.0"),
        (
            {"cut_warmup_ratio": 0.5, "lower_layers": 1},
            "from 1 on, and it ends at lower_layers=1: give a cut of 2",
        ),
        ({"weight_averaging_ratio": 1.1}, r"weight_averaging_ratio is a share .* got 1\.1"),
        ({"weight_averaging_ratio": float("nan")}, "weight_averaging_ratio is a share .* got nan"),
        ({"weight_averaging_ratio": 0.6, "cut_warmup_ratio": 0.5}, r"none .* while the cut climbs .*=0\.5.* got 0\.6"),
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


def test_paths_are_kept_as_text(tmp_path: Path) -> None:
    config = replace(CONFIG, model=tmp_path, teacher=tmp_path, train=(tmp_path / "a.json",), unlabelled=tmp_path / "b")
    assert (config.model, config.teacher) == (str(tmp_path), str(tmp_path))
    assert (config.train, config.unlabelled) == ((str(tmp_path / "a.json"),), (str(tmp_path / "b"),))
    assert replace(CONFIG, train="a.json").train == ("a.json",)
    assert replace(CONFIG, train=["a.json"]).train == ("a.json",)
