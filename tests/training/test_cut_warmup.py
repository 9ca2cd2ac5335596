"""A cut that moves up during training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.run import train
from haystack_deformer.training.trainer import DeFormerTrainer, cut_at


@pytest.mark.parametrize(
    ("progress", "cut"), [(0, 1), (0.19, 1), (0.2, 2), (0.39, 2), (0.4, 3), (0.59, 3), (0.6, 4), (1, 4)]
)
def test_each_cut_has_its_share(progress: float, cut: int) -> None:
    assert cut_at(progress, 0.6, 4) == cut


def test_ends_where_it_is_to_stay(config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cuts = []
    compute_loss = DeFormerTrainer.compute_loss

    def watch(self: DeFormerTrainer, model: Any, *args: Any, **kwargs: Any) -> Any:
        cuts.append(model.lower_layers)
        return compute_loss(self, model, *args, **kwargs)

    monkeypatch.setattr(DeFormerTrainer, "compute_loss", watch)
    model = train(replace(config, lower_layers=3, cut_warmup_ratio=0.6), tmp_path, progress_bar=False)
    assert cuts == [1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    assert model.lower_layers == 3
    assert DeFormerForQuestionAnswering.from_pretrained(tmp_path).lower_layers == 3


def test_is_there_at_the_end_of_few_steps(config: TrainingConfig, tmp_path: Path) -> None:
    model = train(replace(config, lower_layers=3, cut_warmup_ratio=0.9, max_steps=1), tmp_path, progress_bar=False)
    assert model.lower_layers == 3
    assert DeFormerForQuestionAnswering.from_pretrained(tmp_path).lower_layers == 3
