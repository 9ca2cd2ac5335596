"""Which checkpoint a run goes on from."""

from __future__ import annotations

from pathlib import Path

from haystack_deformer.training.checkpoints import checkpoints_in, last_checkpoint


def test_one_cut_off_by_a_kill_is_passed_over(tmp_path: Path) -> None:
    whole, cut_off = tmp_path / "checkpoint-9", tmp_path / "checkpoint-10"
    for folder in (whole, cut_off):
        folder.mkdir()
        (folder / "model.safetensors").touch()
    assert last_checkpoint(tmp_path) is None
    (whole / "trainer_state.json").touch()
    assert last_checkpoint(tmp_path) == whole
    (cut_off / "trainer_state.json").touch()
    assert last_checkpoint(tmp_path) == cut_off


def test_a_copy_put_aside_is_none(tmp_path: Path) -> None:
    for name in ("checkpoint-5", "checkpoint-best", "checkpoint-5-copy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "trainer_state.json").touch()
    assert checkpoints_in(tmp_path) == [tmp_path / "checkpoint-5"]
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"


def test_no_folder_has_none(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "not there") is None
