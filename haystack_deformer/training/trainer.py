"""Plain fine-tuning of a decomposed model with transformers' Trainer."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import PreTrainedTokenizerFast, Trainer, TrainingArguments, set_seed
from transformers.trainer_pt_utils import LengthGroupedSampler

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageTokenizer, load_tokenizer
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.features import SquadFeatures, collate
from haystack_deformer.training.squad import load_squad, split_held_out

logger = logging.getLogger(__name__)


class _EpochSampler(LengthGroupedSampler):
    """Batches of like length in an order of the seed and the epoch alone, so that a resumed run goes on with it."""

    def __init__(self, batch_size: int, lengths: list[int], seed: int) -> None:
        super().__init__(batch_size, lengths=lengths, generator=torch.Generator())
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.generator.manual_seed(self.seed)
        # transformers draws one permutation for an epoch; when it resumes, it draws none for those that went by
        for _ in range(self.epoch):
            torch.randperm(len(self.lengths), generator=self.generator)
        return super().__iter__()


class DeFormerTrainer(Trainer):
    """transformers' Trainer, with batches of like length: padding is most of the cost of a mixed batch."""

    def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Sampler[int]:  # noqa: ARG002  # differs by version
        return _EpochSampler(self.args.train_batch_size, self.train_dataset.lengths, self.args.seed)


def train(
    config: TrainingConfig,
    output: str | os.PathLike[str],
    *,
    checkpoints: str | os.PathLike[str] | None = None,
    save_steps: int = 500,
    resume: bool = True,
    dtype: torch.dtype | None = None,
    progress_bar: bool = True,
) -> DeFormerForQuestionAnswering:
    """
    Fine-tune a model at a cut and save it.

    An interrupted run goes on from its last checkpoint when it is started again with the same settings.

    :param config: the settings.
    :param output: folder for the trained model.
    :param checkpoints: folder for checkpoints; None: `checkpoints` in `output`.
    :param save_steps: steps between two checkpoints; the last two are kept.
    :param resume: whether to go on from checkpoints that are there; otherwise they are removed.
    :param dtype: of the written weights; None: fp32.
    :param progress_bar: whether to show one.
    :return: the trained model, in evaluation mode.
    :raises ValueError: for data that cannot be used, or checkpoints of a run with other settings.
    """
    folder = Path(checkpoints) if checkpoints is not None else Path(output) / "checkpoints"
    if resume and _last_checkpoint(folder) is not None:
        config.check_resumable(folder)
    elif not resume:
        # the checkpoints alone: the folder may be one that the user keeps other things in
        for checkpoint in folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
    last = _last_checkpoint(folder)

    set_seed(config.seed)
    model, tokenizer = _load(config)
    examples, _ = split_held_out(load_squad(config.train)[0], config.held_out)
    passages = PassageTokenizer(tokenizer, model.deformer_config, model.backbone)
    dataset = SquadFeatures(examples, passages, progress_bar=progress_bar)
    for why, ids in (
        ("whose answer is longer than a window's overlap and stands whole in none", dataset.unreachable),
        ("that have no token", dataset.unreadable),
    ):
        if ids:
            logger.warning("%d questions of %d %s are left out (%s).", len(ids), len(examples), why, ", ".join(ids[:3]))
    config.save(folder)
    trainer = DeFormerTrainer(
        model=model.train(),
        args=_arguments(config, folder, save_steps, progress_bar=progress_bar),
        train_dataset=dataset,
        data_collator=collate,
    )
    if last is not None:
        logger.info("Going on from %s.", last)
    try:
        trainer.train(resume_from_checkpoint=last)
    finally:
        # transformers leaves it set, and the next run of this process would be in bfloat16 unasked
        os.environ.pop("ACCELERATE_MIXED_PRECISION", None)
    model.eval()
    if trainer.is_world_process_zero():
        model.save_pretrained(output, tokenizer, dtype=dtype)
    return model


def _last_checkpoint(folder: Path) -> str | None:
    """The last that was written to its end: the trainer's state comes last, and a kill may have come before it."""
    checkpoints = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return str(max(checkpoints, key=lambda path: int(path.name.rpartition("-")[2]))) if checkpoints else None


def _load(config: TrainingConfig) -> tuple[DeFormerForQuestionAnswering, PreTrainedTokenizerFast]:
    model = DeFormerForQuestionAnswering.from_pretrained(
        config.model,
        config.lower_layers,
        max_seq_len=config.max_seq_len,
        doc_stride=config.doc_stride,
        max_question_length=config.max_question_length,
        **({} if config.attention_dropout is None else {"attention_dropout": config.attention_dropout}),
    )
    return model, load_tokenizer(config.model)


def _arguments(config: TrainingConfig, folder: Path, save_steps: int, *, progress_bar: bool) -> TrainingArguments:
    return TrainingArguments(
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
        optim="adamw_torch_fused" if torch.__version__ >= (2, 4) else "adamw_torch",
        save_steps=save_steps,
        save_total_limit=2,
        logging_steps=50,
        report_to=[],
        # features are our own, not columns that the model's signature could be matched with
        remove_unused_columns=False,
        disable_tqdm=not progress_bar,
        use_cpu=not torch.cuda.is_available(),
        ddp_backend=None if torch.cuda.is_available() else "gloo",
        dataloader_pin_memory=torch.cuda.is_available(),
    )
