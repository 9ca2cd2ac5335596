"""transformers' Trainer with our batches, our losses, and an end to a run whose loss is lost."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from haystack_deformer.modeling import DeFormerForQuestionAnswering, SpanLogits
from haystack_deformer.training.checkpoints import checkpoints_in
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.distillation import kd_loss, lrs_loss
from haystack_deformer.training.sampling import SharedWindowSampler
from haystack_deformer.training.teacher import Teacher
from haystack_deformer.training.weight_averaging import WeightAveraging

# accelerate calls the device of a CPU process "cpu:0", where torch.load knows "cpu" alone: no run of several processes
# on a CPU could be resumed
torch.serialization.register_package(
    100, lambda _storage: None, lambda storage, location: storage if location.startswith("cpu:") else None
)


class DeFormerTrainer(Trainer):
    """
    Trains a decomposed model, with or without a teacher.

    :param config: the weights of the losses, and how batches are put together.
    :param teacher: to learn from.
    :param kwargs: of transformers' Trainer.
    """

    def __init__(self, *, config: TrainingConfig, teacher: Teacher | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.teacher = teacher
        if teacher is not None:
            teacher.to(self.args.device)
        self.add_callback(_StopAtLostGradients())
        if config.cut_warmup_ratio:
            self.add_callback(_CutWarmup(self.model, config))
        self._averaging: WeightAveraging | None = None
        if config.weight_averaging_ratio:
            self._averaging = WeightAveraging(self.model, config.weight_averaging_ratio)
            self.add_callback(self._averaging)
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._logged_step: int | None = None
        self._logged_at = 0.0

    def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Sampler[int]:  # noqa: ARG002  # differs by version
        # at the cut 0 there is nothing to share, and a batch of many passages teaches more
        shared = self.config.questions_per_window if self.config.lower_layers else 1
        return SharedWindowSampler(self.train_dataset.features, self.args.train_batch_size, shared, self.args.seed)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        **kwargs: Any,  # noqa: ARG002  # num_items_in_batch, which differs by version
    ) -> Any:
        """
        `ce_weight * L_ce + kd_weight * L_kd + lrs_weight * L_lrs`; without a teacher, L_ce alone.

        :param model: the student, as the Trainer wraps it.
        :param inputs: from `collate_numbered`.
        :param return_outputs: whether to return the student's output beside the loss.
        :raises FloatingPointError: where the loss is no longer finite; names the step.
        """
        if self._logged_step is None:
            # not in __init__: a resumed run counts from where it goes on
            self._logged_step, self._logged_at = self.state.global_step, time.perf_counter()
        inputs = dict(inputs)
        features = inputs.pop("features").tolist()
        compares_states = self.teacher is not None and self.teacher.layers > 0
        output: SpanLogits = model(**inputs, output_hidden_states=compares_states)
        loss = torch.as_tensor(output.loss)
        if self.teacher is not None:
            teacher_output = self.teacher(inputs, features)
            parts = {"ce": loss, "kd": kd_loss(output, teacher_output, self.config.temperature)}
            if compares_states:
                parts["lrs"] = lrs_loss(output, teacher_output)
            loss = torch.stack([getattr(self.config, f"{name}_weight") * part for name, part in parts.items()]).sum()
            for name, part in parts.items():
                self._sums[f"{name}_loss"] += float(part.detach())
        if not torch.isfinite(loss):
            raise FloatingPointError(_lost(f"the loss is {float(loss)}", self.state.global_step))
        return (loss, output) if return_outputs else loss

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        # before the trainer's state, which says that a checkpoint is whole
        if self._averaging is not None:
            self._averaging.save(Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if self._averaging is not None:
            self._averaging.load(Path(resume_from_checkpoint))

    def _sorted_checkpoints(self, output_dir: str | None = None, *args: Any, **kwargs: Any) -> list[str]:  # noqa: ARG002
        # transformers' own takes copies that a user put aside for checkpoints, and removes them
        return [str(path) for path in checkpoints_in(Path(output_dir or self.args.output_dir))]

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """
        Add to what is logged: each part of the loss, seconds a step, and memory.

        :param logs: of the Trainer.
        """
        steps = self.state.global_step - (self._logged_step or 0)
        if "loss" in logs and steps > 0:
            now = time.perf_counter()
            logs |= {name: round(total / steps, 4) for name, total in self._sums.items()}
            logs["seconds_per_step"] = round((now - self._logged_at) / steps, 3)
            logs["memory_mb"] = _memory_mb()
            self._sums.clear()
            self._logged_step, self._logged_at = self.state.global_step, now
        super().log(logs, *args, **kwargs)


class _StopAtLostGradients(TrainerCallback):
    """Before they reach the weights, and with them the next checkpoint."""

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        model: torch.nn.Module,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        finite = [parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None]
        # a GPU is waited for once, in place of for every parameter
        if finite and not torch.stack(finite).all():
            raise FloatingPointError(_lost("a gradient is not finite", state.global_step))


class _CutWarmup(TrainerCallback):
    """Moves the student's cut up, a layer at a time, to where it is to stay."""

    def __init__(self, student: DeFormerForQuestionAnswering, config: TrainingConfig) -> None:
        self.student = student
        self.config = config

    def on_step_begin(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        cut = cut_at(state.global_step / state.max_steps, self.config.cut_warmup_ratio, self.config.lower_layers)
        self.student.deformer_config = replace(self.student.deformer_config, lower_layers=cut)


def cut_at(progress: float, ratio: float, lower_layers: int) -> int:
    """
    The cut at some point of a run whose cut climbs.

    :param progress: share of the steps that are done.
    :param ratio: share of the steps in which the cut climbs, as long at each layer.
    :param lower_layers: where it ends; 1 where it begins.
    """
    if progress >= ratio:
        return lower_layers
    return min(lower_layers, 1 + int(progress / ratio * (lower_layers - 1)))


def _lost(what: str, step: int) -> str:
    return (
        f"Stopped at step {step + 1}: {what}. The checkpoints that were written before it are good and stay. "
        "Start again with a lower learning rate, or without bf16."
    )


def _memory_mb() -> int:
    """The most that a GPU held, or what the process holds now."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() >> 20
    return psutil.Process().memory_info().rss >> 20
