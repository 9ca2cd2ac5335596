"""What docs/accuracy keeps of a run."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.settings_file import SETTINGS_FILE, save_settings

SCRIPT = Path(__file__).parents[2] / "docs" / "accuracy" / "measure.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_a_run_of_before_a_setting_was_there_has_its_default(script: dict[str, Any], tmp_path: Path) -> None:
    keep: Any = script["_keep_settings"]
    # its own, for it writes beside itself
    keep.__globals__["HERE"] = tmp_path
    save_settings(TrainingConfig("/models/base", ("/data/a.json",), 2), tmp_path)
    file = tmp_path / SETTINGS_FILE
    written = json.loads(file.read_text())
    file.write_text(json.dumps({name: written[name] for name in ("model", "train", "lower_layers", "seed")}))
    keep("First round", tmp_path)
    kept = json.loads((tmp_path / "runs" / "first-round-k2.json").read_text())
    assert (kept["model"], kept["train"], kept["seed"]) == ("base", ["a.json"], 42)
    assert (kept["teacher"], kept["unlabelled"], kept["ensemble"]) == (None, [], [])
