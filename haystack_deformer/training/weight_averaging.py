"""
The mean of the weights over the last steps of a run, in place of the last step's.

After Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018, but while the
learning rate falls, as in Kaddour, "Stop Wasting My Time! Saving Days of ImageNet and BERT Training with Latest Weight
Averaging", 2022.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

logger = logging.getLogger(__name__)

AVERAGED_FILE = "averaged.safetensors"
"""Of a checkpoint: the mean so far."""
_STEPS = "steps"


def first_averaged_step(ratio: float, steps: int) -> int:
    """
    The step whose weights are the first in the mean.

    :param ratio: share of the run's steps that is averaged, the last of them; of a few steps the last at least.
    :param steps: of the run.
    """
    return steps - max(1, round(ratio * steps)) + 1


class WeightAveraging(TrainerCallback):
    """
    Adds up the trained weights after each of the last steps, and puts their mean into the model at the end.

    :param model: trained; what is frozen in it stays.
    :param ratio: share of the run's steps that is averaged, the last of them; above 0, at most 1.
    """

    def __init__(self, model: nn.Module, ratio: float) -> None:
        self._weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._ratio = ratio
        self._means: dict[str, Tensor] = {}
        self.steps = 0
        """Steps whose weights are in the mean."""

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Take one more step's weights into the mean."""
        # transformers makes one more step where a run is restarted after its last
        if not first_averaged_step(self._ratio, state.max_steps) <= state.global_step <= state.max_steps:
            return
        self.steps += 1
        with torch.no_grad():
            if not self._means:
                self._means = {name: weight.clone() for name, weight in self._weights.items()}
            for name, mean in self._means.items():
                mean.lerp_(self._weights[name], 1 / self.steps)

    def on_train_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Put the mean into the model, whose last checkpoint is written."""
        with torch.no_grad():
            for name, mean in self._means.items():
                self._weights[name].copy_(mean)
        logger.info("The weights are the mean of the last %d steps'.", self.steps)

    def save(self, checkpoint: Path) -> None:
        """
        Keep the mean with a checkpoint, so that a resumed run has it.

        :param checkpoint: its folder.
        """
        if self._means:
            save_file(self._means, checkpoint / AVERAGED_FILE, {_STEPS: str(self.steps)})

    def load(self, checkpoint: Path) -> None:
        """
        Go on with the mean of a checkpoint, where one had begun.

        :param checkpoint: its folder.
        """
        if (checkpoint / AVERAGED_FILE).is_file():
            with safe_open(checkpoint / AVERAGED_FILE, "pt") as file:
                self.steps = int(file.metadata()[_STEPS])
                self._means = {name: file.get_tensor(name).to(weight) for name, weight in self._weights.items()}
