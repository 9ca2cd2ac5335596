"""Which checkpoint a run goes on from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from haystack_deformer.training.checkpoints import checkpoints_in, last_checkpoint

_FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json")


def write_checkpoint(folder: Path) -> Path:
    folder.mkdir()
    save_file({"weight": torch.ones(9)}, folder / "model.safetensors")
    for name in ("optimizer.pt", "scheduler.pt"):
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
    data = (damaged / name).read_bytes()
    (damaged / name).unlink()
    if kept is not None:
        (damaged / name).write_bytes(data[: int(kept * len(data))])
    assert last_checkpoint(tmp_path) == whole
    assert str(damaged) in caplog.text
    (whole / name).unlink()
    assert last_checkpoint(tmp_path) is None


def test_a_copy_put_aside_is_none(tmp_path: Path) -> None:
    for name in ("checkpoint-5", "checkpoint-best", "checkpoint-5-copy"):
        write_checkpoint(tmp_path / name)
    assert checkpoints_in(tmp_path) == [tmp_path / "checkpoint-5"]
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"


def test_no_folder_has_none(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "not there") is None
