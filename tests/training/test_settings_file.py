"""Settings of a run, kept beside its checkpoints."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.settings_file import check_resumable, is_finished, save_settings

CONFIG = TrainingConfig(model="some/model", train=("a.json", "b.json"), lower_layers=4)


def test_same_settings_go_on(tmp_path: Path) -> None:
    save_settings(CONFIG, tmp_path / "new" / "folder")
    check_resumable(CONFIG, tmp_path / "new" / "folder")
    check_resumable(replace(CONFIG), tmp_path / "new" / "folder")


def test_folder_without_a_run_is_begun(tmp_path: Path) -> None:
    check_resumable(CONFIG, tmp_path)
    check_resumable(CONFIG, tmp_path / "not there")


@pytest.mark.parametrize(
    "values",
    [{"learning_rate": 1e-3}, {"lower_layers": 5}, {"train": ("a.json",)}, {"seed": 7}, {"bf16": True}, {"model": "b"}],
    ids=lambda values: next(iter(values)),
)
def test_other_settings_are_named(tmp_path: Path, values: dict[str, Any]) -> None:
    save_settings(CONFIG, tmp_path)
    with pytest.raises(ValueError, match="--no-resume") as error:
        check_resumable(replace(CONFIG, **values), tmp_path)
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
    save_settings(CONFIG, tmp_path)
    written = (tmp_path / "training_config.json").read_text(encoding="utf-8")
    assert all(f'"{name}"' in written for name in CONFIG.__dataclass_fields__)


def test_a_setting_from_after_a_run_has_its_default(tmp_path: Path) -> None:
    save_settings(CONFIG, tmp_path)
    path = tmp_path / "training_config.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    del kept["cut_warmup_ratio"]
    path.write_text(json.dumps(kept), encoding="utf-8")
    check_resumable(CONFIG, tmp_path)
    assert is_finished(CONFIG, tmp_path)
    with pytest.raises(ValueError, match=r"cut_warmup_ratio: 0.0 then, 0.5 now"):
        check_resumable(replace(CONFIG, cut_warmup_ratio=0.5), tmp_path)


def test_another_number_of_processes_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    save_settings(CONFIG, tmp_path)
    check_resumable(CONFIG, tmp_path)
    monkeypatch.delenv("WORLD_SIZE")
    with pytest.raises(ValueError, match="processes: 2 then, 1 now"):
        check_resumable(CONFIG, tmp_path)
    # what they made is the model of these settings all the same
    assert is_finished(CONFIG, tmp_path)


@pytest.mark.parametrize("damage", ["", "{", "[1]"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    save_settings(CONFIG, tmp_path)
    (tmp_path / "training_config.json").write_text(damage)
    for read in (check_resumable, is_finished):
        with pytest.raises(ValueError, match=r"training_config\.json' is damaged, .* remove it"):
            read(CONFIG, tmp_path)


def test_paths_go_on_as_they_are_kept(tmp_path: Path) -> None:
    config = replace(CONFIG, model=tmp_path, teacher=tmp_path, train=(tmp_path / "a.json",), unlabelled=tmp_path / "b")
    save_settings(config, tmp_path / "folder")
    check_resumable(config, tmp_path / "folder")


def test_another_tokenizer_is_another_run(tmp_path: Path, make_tiny_bert: Any) -> None:
    folder = tmp_path / "model"
    shutil.copytree(make_tiny_bert(), folder)
    config = replace(CONFIG, model=str(folder))
    save_settings(config, tmp_path)
    check_resumable(config, tmp_path)
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    words = tokenizer["model"]["vocab"]
    words["paris"], words["berlin"] = words["berlin"], words["paris"]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(ValueError, match=r"the tokenizer in '.*model' has changed"):
        check_resumable(config, tmp_path)
    # a run from before it was kept has none to compare
    kept = json.loads((tmp_path / "training_config.json").read_text(encoding="utf-8"))
    del kept["tokenizers"]
    (tmp_path / "training_config.json").write_text(json.dumps(kept), encoding="utf-8")
    check_resumable(config, tmp_path)
