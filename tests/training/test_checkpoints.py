"""Which checkpoint a run goes on from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from haystack_deformer.training.checkpoints import checkpoints_in, last_checkpoint
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.settings_file import save_settings

_FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


def write_checkpoint(folder: Path) -> Path:
    folder.mkdir()
    save_file({"weight": torch.ones(9)}, folder / "model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({"step": torch.ones(9)}, folder / name)
    (folder / "trainer_state.json").write_text('{"global_step": 9}')
    return folder


@pytest.mark.parametrize("name", _FILES)
@pytest.mark.parametrize("kept", [None, 0, 0.5], ids=["missing", "empty", "half"])
def test_one_cut_off_is_passed_over(
    tmp_path: Path, name: str, kept: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    """By a kill between two files, a lost power, a full disk."""
    whole, damaged = write_checkpoint(tmp_path / "checkpoint-9"), write_checkpoint(tmp_path / "checkpoint-10")
    assert last_checkpoint(tmp_path) == damaged
    assert not caplog.records
    cut_off(damaged / name, kept)
    assert last_checkpoint(tmp_path) == whole
    assert str(damaged) in caplog.text
    (whole / name).unlink()
    assert last_checkpoint(tmp_path) is None


def cut_off(file: Path, kept: float | None) -> None:
    """Leave so much of it, or with None nothing."""
    data = file.read_bytes()
    file.unlink()
    if kept is not None:
        file.write_bytes(data[: int(kept * len(data))])


@pytest.mark.parametrize("state", ["{}", "[]", '{"global_step": 9}'])
def test_one_whose_state_says_too_little_is_passed_over(tmp_path: Path, state: str) -> None:
    save_settings(TrainingConfig("m", ("a.json",), 2, weight_averaging_ratio=1 / 3), tmp_path)
    (write_checkpoint(tmp_path / "checkpoint-9") / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) is None


@pytest.mark.parametrize("kept", [None, 0, 0.5], ids=["missing", "empty", "half"])
def test_one_whose_mean_is_cut_off_is_passed_over(tmp_path: Path, kept: float | None) -> None:
    """The mean is of the last 4 of 12 steps: before there is none."""
    save_settings(TrainingConfig("m", ("a.json",), 2, weight_averaging_ratio=1 / 3), tmp_path)
    for step in (8, 9, 10):
        checkpoint = write_checkpoint(tmp_path / f"checkpoint-{step}")
        (checkpoint / "trainer_state.json").write_text(f'{{"global_step": {step}, "max_steps": 12}}')
        if step > 8:
            save_file({"weight": torch.ones(9)}, checkpoint / "averaged.safetensors")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    cut_off(tmp_path / "checkpoint-10" / "averaged.safetensors", kept)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-9"
    cut_off(tmp_path / "checkpoint-9" / "averaged.safetensors", kept)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-8"


def test_every_process_has_its_random_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many read it: that they are others is said where the settings are compared."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    save_settings(TrainingConfig("m", ("a.json",), 2), tmp_path)
    for step in (9, 10):
        checkpoint = write_checkpoint(tmp_path / f"checkpoint-{step}")
        shutil.copy(checkpoint / "rng_state.pth", checkpoint / "rng_state_0.pth")
        (checkpoint / "rng_state.pth").rename(checkpoint / "rng_state_1.pth")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    (tmp_path / "checkpoint-10" / "rng_state_1.pth").unlink()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-9"


def test_a_copy_put_aside_is_none(tmp_path: Path) -> None:
    for name in ("checkpoint-5", "checkpoint-best", "checkpoint-5-copy"):
        write_checkpoint(tmp_path / name)
    assert checkpoints_in(tmp_path) == [tmp_path / "checkpoint-5"]
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"


def test_no_folder_has_none(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "not there") is None
