"""The mean of the last steps' weights is what a run writes, also where it was stopped among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from haystack_deformer.training import run as run_module
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.run import train
from haystack_deformer.training.trainer import DeFormerTrainer
from tests.training.weights import weights


class Recorder(TrainerCallback):
    """Keeps the weights after each step, and interrupts a run after one of them."""

    def __init__(self) -> None:
        self.steps: list[dict[str, torch.Tensor]] = []
        self.stop_at: int | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, model: torch.nn.Module, **kwargs: Any) -> None:
        self.steps.append({name: weight.detach().clone() for name, weight in model.named_parameters()})
        if state.global_step == self.stop_at:
            raise KeyboardInterrupt


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()

    class Recorded(DeFormerTrainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.add_callback(recorder)

    monkeypatch.setattr(run_module, "DeFormerTrainer", Recorded)
    return recorder


@pytest.fixture
def averaged(config: TrainingConfig) -> TrainingConfig:
    return replace(config, max_steps=6, weight_averaging_ratio=0.5, learning_rate=1e-2)


def assert_mean(folder: Path, steps: list[dict[str, torch.Tensor]]) -> None:
    for name, weight in weights(folder).items():
        expected = torch.stack([step[f"model.{name}"] for step in steps]).mean(dim=0)
        torch.testing.assert_close(weight, expected, atol=1e-6, rtol=0, msg=name)


def test_model_is_the_mean_of_the_last_half(averaged: TrainingConfig, recorder: Recorder, tmp_path: Path) -> None:
    model = train(averaged, tmp_path, progress_bar=False)
    assert len(recorder.steps) == 6
    assert_mean(tmp_path, recorder.steps[3:])
    written = weights(tmp_path)
    # what is returned is what is written, and no one step's
    assert all(torch.equal(weight, written[name]) for name, weight in model.model.state_dict().items())
    assert not torch.equal(written["qa_outputs.weight"], recorder.steps[-1]["model.qa_outputs.weight"])


def test_a_share_below_one_step_is_the_last_step(averaged: TrainingConfig, recorder: Recorder, tmp_path: Path) -> None:
    train(replace(averaged, weight_averaging_ratio=0.01), tmp_path, progress_bar=False)
    assert_mean(tmp_path, recorder.steps[-1:])


@pytest.mark.parametrize("saved", [2, 4], ids=["before the mean begins", "among its steps"])
def test_a_resumed_run_has_the_same_mean(
    averaged: TrainingConfig, recorder: Recorder, tmp_path: Path, saved: int
) -> None:
    recorder.stop_at = saved + 1
    with pytest.raises(KeyboardInterrupt):
        train(averaged, tmp_path, save_steps=saved, progress_bar=False)
    recorder.stop_at = None
    train(averaged, tmp_path, save_steps=saved, progress_bar=False)
    # the step that was not saved was made twice
    assert len(recorder.steps) == 7
    assert_mean(tmp_path, recorder.steps[:saved][3:] + recorder.steps[-(6 - saved) :][max(0, 3 - saved) :])


def test_frozen_layers_stay(averaged: TrainingConfig, tmp_path: Path) -> None:
    # those of the model that it starts from, as its index has them
    lengths = {"max_seq_len": 256, "doc_stride": 128, "max_question_length": 64}
    train(replace(averaged, freeze_lower=True, **lengths), tmp_path / "first", progress_bar=False)
    before, after = weights(Path(averaged.model)), weights(tmp_path / "first")
    frozen = [name for name in before if ".layer.0." in name or ".layer.1." in name or ".embeddings." in name]
    assert frozen
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert not torch.equal(before["qa_outputs.weight"], after["qa_outputs.weight"])
