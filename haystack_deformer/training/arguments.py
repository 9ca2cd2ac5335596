"""A run's settings as transformers' Trainer knows them."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch
from packaging.version import Version
from transformers import TrainingArguments

from haystack_deformer.training.config import TrainingConfig

logger = logging.getLogger(__name__)


def training_arguments(
    config: TrainingConfig, folder: Path, save_steps: int, *, progress_bar: bool
) -> TrainingArguments:
    """
    The settings as transformers' Trainer knows them.

    :param config: the settings.
    :param folder: of the checkpoints.
    :param save_steps: steps between two of them.
    :param progress_bar: whether to show one.
    """
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        num_train_epochs=config.num_train_epochs,
        max_steps=config.max_steps,
        warmup_ratio=config.warmup_ratio,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        seed=config.seed,
        bf16=config.bf16,
        # one pass over the weights in place of five; on a CPU since torch 2.4
        optim="adamw_torch_fused" if Version(torch.__version__) >= Version("2.4") else "adamw_torch",
        save_steps=save_steps,
        save_total_limit=2,
        logging_steps=50,
        report_to=[],
        # features are our own, not columns that the model's signature could be matched with
        remove_unused_columns=False,
        disable_tqdm=not progress_bar,
        use_cpu=not torch.cuda.is_available(),
        # transformers takes a backend as a wish for several processes, and fails where there is one
        ddp_backend="gloo" if "LOCAL_RANK" in os.environ and not torch.cuda.is_available() else None,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    if arguments.n_gpu > 1:
        # transformers would deal out questions and passages by DataParallel, each by themselves
        logger.warning("One of %d GPUs is used: start the training with torchrun to use all.", arguments.n_gpu)
        arguments._n_gpu = 1  # noqa: SLF001
    return arguments
