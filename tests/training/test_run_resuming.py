"""A run goes on where it was stopped, and touches nothing that is not its own."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from haystack_deformer.training import run as run_module
from haystack_deformer.training.checkpoints import checkpoints_in
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.run import train
from haystack_deformer.training.settings_file import is_finished
from haystack_deformer.training.trainer import DeFormerTrainer
from tests.training.weights import weights


class StopAt(TrainerCallback):
    """Interrupts a run as Ctrl-C does, after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.step:
            raise KeyboardInterrupt


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets runs be interrupted after a step, or, with None, no more."""

    def set_step(step: int | None) -> None:
        class Interrupted(DeFormerTrainer):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                if step is not None:
                    self.add_callback(StopAt(step))

        monkeypatch.setattr(run_module, "DeFormerTrainer", Interrupted)

    return set_step


class TestResume:
    @pytest.mark.parametrize("step", [3, 5, 7], ids=["in the first epoch", "between two", "in the second"])
    def test_equals_the_uninterrupted_run(
        self, uninterrupted: Path, config: TrainingConfig, tmp_path: Path, interrupt: Any, step: int
    ) -> None:
        """The order of the data, dropout, the optimiser and the schedule all go on where they were."""
        interrupt(step + 1)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path, save_steps=step, progress_bar=False)
        assert (tmp_path / "checkpoints" / f"checkpoint-{step}").is_dir()
        assert not (tmp_path / "model.safetensors").exists()
        interrupt(None)
        train(config, tmp_path, save_steps=step, progress_bar=False)
        expected = weights(uninterrupted)
        for name, tensor in weights(tmp_path).items():
            torch.testing.assert_close(tensor, expected[name], atol=1e-6, rtol=0, msg=name)

    def test_of_a_finished_run_trains_no_further(
        self, uninterrupted: Path, config: TrainingConfig, caplog: pytest.LogCaptureFixture
    ) -> None:
        before, steps = weights(uninterrupted), checkpoints_in(uninterrupted / "checkpoints")
        caplog.set_level(logging.INFO, logger="haystack_deformer")
        model = train(config, uninterrupted, progress_bar=False)
        assert "is trained already" in caplog.text
        assert (model.training, model.lower_layers) == (False, config.lower_layers)
        assert all(torch.equal(tensor, before[name]) for name, tensor in weights(uninterrupted).items())
        assert checkpoints_in(uninterrupted / "checkpoints") == steps

    def test_of_a_finished_run_of_several_processes_trains_no_further(
        self, config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        train(replace(config, max_steps=1), tmp_path, progress_bar=False)
        before = weights(tmp_path)
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setattr(run_module, "DeFormerTrainer", lambda **_: pytest.fail("it was trained already"))
        train(replace(config, max_steps=1), tmp_path, dtype=torch.float16, progress_bar=False)
        assert "one process writes them in another" in caplog.text
        assert all(torch.equal(tensor, before[name]) for name, tensor in weights(tmp_path).items())

    def test_of_a_run_that_was_stopped_while_it_wrote_the_model(self, config: TrainingConfig, tmp_path: Path) -> None:
        config = replace(config, max_steps=3, weight_averaging_ratio=0.7)
        train(config, tmp_path, progress_bar=False)
        # a copy: what is overwritten below is mapped
        expected = {name: tensor.clone() for name, tensor in weights(tmp_path).items()}
        # the settings are written last: without them the weights may be a part
        (tmp_path / "training_config.json").unlink()
        (tmp_path / "model.safetensors").write_bytes(b"a part")
        train(config, tmp_path, progress_bar=False)
        assert weights(tmp_path).keys() == expected.keys()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(tmp_path).items())
        assert is_finished(config, tmp_path)

    def test_with_other_settings_is_refused(self, uninterrupted: Path, config: TrainingConfig) -> None:
        before = weights(uninterrupted)
        with pytest.raises(ValueError, match=r"learning_rate: 0.001 then, 0.002 now.*--no-resume"):
            train(replace(config, learning_rate=2e-3), uninterrupted, progress_bar=False)
        assert all(torch.equal(tensor, before[name]) for name, tensor in weights(uninterrupted).items())

    def test_on_other_data_is_refused(self, config: TrainingConfig, tmp_path: Path) -> None:
        data = tmp_path / "data.json"
        data.write_bytes(Path(config.train[0]).read_bytes())
        settings = replace(config, train=(str(data),), max_steps=1)
        train(settings, tmp_path / "output", progress_bar=False)
        assert is_finished(settings, tmp_path / "output")
        data.write_text(data.read_text().replace("river", "city"))
        assert not is_finished(settings, tmp_path / "output")
        with pytest.raises(ValueError, match=r"what is in '.*data\.json' has changed.*--no-resume"):
            train(settings, tmp_path / "output", progress_bar=False)

    @pytest.mark.parametrize("which", ["output", "checkpoints"])
    def test_a_file_is_no_folder(self, config: TrainingConfig, tmp_path: Path, which: str) -> None:
        file = tmp_path / "a file"
        file.touch()
        with pytest.raises(ValueError, match="a file' is a file, and the run writes into a folder"):
            train(config, **{"output": tmp_path / "output", which: file}, progress_bar=False)

    def test_checkpoints_want_a_folder_of_their_own(self, config: TrainingConfig, tmp_path: Path) -> None:
        """The settings of a run that was begun would say that the model is there."""
        with pytest.raises(ValueError, match="give the checkpoints another folder"):
            train(config, tmp_path, checkpoints=tmp_path / ".", progress_bar=False)
        assert not list(tmp_path.iterdir())

    def test_anew_is_no_business_of_several_processes(
        self, config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WORLD_SIZE", "2")
        with pytest.raises(ValueError, match="none removes another's checkpoints"):
            train(config, tmp_path, resume=False, progress_bar=False)

    def test_begins_anew_and_removes_checkpoints_alone(self, config: TrainingConfig, tmp_path: Path) -> None:
        output, folder = tmp_path / "output", tmp_path / "folder of the user"
        train(replace(config, max_steps=2), output, checkpoints=folder, save_steps=1, progress_bar=False)
        (folder / "thesis.txt").write_text("mine")
        (folder / "checkpoint-best").mkdir()
        train(
            replace(config, max_steps=3, learning_rate=2e-3),
            output,
            checkpoints=folder,
            resume=False,
            save_steps=3,
            progress_bar=False,
        )
        assert {path.name for path in folder.glob("checkpoint-*")} == {"checkpoint-3", "checkpoint-best"}
        assert (folder / "thesis.txt").read_text() == "mine"

    def test_checkpoints_outlive_bad_input(self, config: TrainingConfig, tmp_path: Path) -> None:
        train(replace(config, max_steps=1), tmp_path, save_steps=1, progress_bar=False)
        for values in ({"train": (str(tmp_path / "typo.json"),)}, {"doc_stride": 60}, {"teacher": config.model}):
            with pytest.raises((ValueError, OSError)):
                train(replace(config, **values), tmp_path, resume=False, progress_bar=False)
        assert (tmp_path / "checkpoints" / "checkpoint-1" / "trainer_state.json").is_file()

    def test_of_several_processes_on_a_cpu_reads_its_checkpoint(self, tmp_path: Path) -> None:
        """Accelerate names their device cpu:0, and transformers loads the optimiser's state to it."""
        torch.save({"state": torch.arange(3)}, tmp_path / "optimizer.pt")
        state = torch.load(tmp_path / "optimizer.pt", map_location=torch.device("cpu", 0), weights_only=True)
        assert state["state"].tolist() == [0, 1, 2]

    def test_keeps_two_checkpoints(self, config: TrainingConfig, tmp_path: Path) -> None:
        train(replace(config, max_steps=4), tmp_path, save_steps=1, progress_bar=False)
        names = {path.name for path in (tmp_path / "checkpoints").glob("checkpoint-*")}
        assert names == {"checkpoint-3", "checkpoint-4"}

    def test_keeps_copies_put_aside(self, config: TrainingConfig, tmp_path: Path) -> None:
        aside = {"checkpoint-1-good", "checkpoint-best", "good-checkpoint-9"}
        for name in aside:
            (tmp_path / "checkpoints" / name).mkdir(parents=True)
        train(replace(config, max_steps=4), tmp_path, save_steps=1, progress_bar=False)
        names = {path.name for path in (tmp_path / "checkpoints").iterdir() if path.is_dir()}
        assert names == {"checkpoint-3", "checkpoint-4", *aside}
