"""A training run from settings to a saved model, which goes on where it was stopped."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from packaging.version import Version
from transformers import TrainingArguments, set_seed

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageTokenizer, load_tokenizer
from haystack_deformer.squad import SquadExample, load_squad, split_held_out
from haystack_deformer.training.attention import AttentionByProducts
from haystack_deformer.training.checkpoints import checkpoints_in, last_checkpoint
from haystack_deformer.training.config import SETTINGS_FILE, TrainingConfig, count_processes
from haystack_deformer.training.distillation import check_teacher
from haystack_deformer.training.features import SquadFeatures, collate_numbered
from haystack_deformer.training.negatives import hard_negatives
from haystack_deformer.training.saving import check_index_stays_valid, check_output, kept_model, save_trained
from haystack_deformer.training.teaching import KeptLessons, Teacher
from haystack_deformer.training.trainer import DeFormerTrainer

logger = logging.getLogger(__name__)


def train(
    config: TrainingConfig,
    output: str | os.PathLike[str],
    *,
    checkpoints: str | os.PathLike[str] | None = None,
    save_steps: int = 500,
    resume: bool = True,
    teacher_outputs: str | os.PathLike[str] | None = None,
    dtype: torch.dtype | None = None,
    progress_bar: bool = True,
) -> DeFormerForQuestionAnswering:
    """
    Train a model at a cut, with a teacher where the settings name one, and save it with the settings beside it.

    An interrupted run goes on from its last checkpoint when it is started again with the same settings; one that is
    finished, in one process, is not trained again.

    :param config: the settings.
    :param output: folder for the trained model.
    :param checkpoints: folder for checkpoints; None: `checkpoints` in `output`.
    :param save_steps: steps between two checkpoints; the last two are kept.
    :param resume: whether to go on from checkpoints that are there; otherwise they are removed.
    :param teacher_outputs: folder for what the teacher makes of each window (2 bytes a token, dimension and layer above
        the cut): it then runs in the first epoch alone, and not at all for a further student of the same cut. None: it
        runs in every step.
    :param dtype: of the written weights; None: fp32.
    :param progress_bar: whether to show one.
    :return: the trained model, in evaluation mode.
    :raises ValueError: for an output that is the model or the teacher, data that cannot be used, a teacher that does
        not fit the student or is missing, checkpoints of a run with other settings, or frozen layers whose index would
        not stay valid.
    :raises FloatingPointError: where the loss or a gradient is no longer finite; names the step.
    """
    if config.unlabelled and config.teacher is None:
        msg = "Questions without labels can only be learnt from a teacher: give `teacher` beside `unlabelled`."
        raise ValueError(msg)
    check_output(config, output)
    if resume and not several_processes() and config.is_kept_in(output):
        return kept_model(config, output, dtype)
    folder = Path(checkpoints) if checkpoints is not None else Path(output) / "checkpoints"
    last = last_checkpoint(folder) if resume else None
    if last is not None:
        config.check_resumable(folder)
    elif not resume and several_processes():
        msg = f"Of several processes none removes another's checkpoints: remove {str(folder)!r}, and resume."
        raise ValueError(msg)

    set_seed(config.seed)
    model, passages = _load_student(config, dtype)
    taught_by = None if config.teacher is None else _load_teacher(config.teacher, model, passages)
    dataset = _features(config, passages, progress_bar=progress_bar)
    teacher = None if taught_by is None else _teacher(config, taught_by, dataset, teacher_outputs)
    if not resume:
        # not before what was given is known to be of use, and the checkpoints alone: the folder may be one that the
        # user keeps other things in
        for checkpoint in checkpoints_in(folder):
            shutil.rmtree(checkpoint)
    config.save(folder)
    trainer = DeFormerTrainer(
        config=config,
        teacher=teacher,
        model=model.train(),
        args=training_arguments(config, folder, save_steps, progress_bar=progress_bar),
        train_dataset=dataset,
        data_collator=collate_numbered,
    )
    if last is not None:
        logger.info("Going on from %s.", last)
    try:
        with AttentionByProducts() if config.bf16 else nullcontext():
            trainer.train(resume_from_checkpoint=None if last is None else str(last))
    finally:
        # transformers leaves it set, and the next run of this process would be in bfloat16 unasked
        os.environ.pop("ACCELERATE_MIXED_PRECISION", None)
    # in few steps a climbing cut may not have arrived
    model.deformer_config = replace(model.deformer_config, lower_layers=config.lower_layers)
    model.eval()
    if trainer.is_world_process_zero():
        # with the digests of what the run began with: hours later a file may be another
        save_trained(model, passages.tokenizer, output, (folder / SETTINGS_FILE).read_bytes(), dtype)
    return model


def several_processes() -> bool:
    """Whether torchrun started more than this one."""
    return count_processes() > 1


def _load_student(
    config: TrainingConfig, dtype: torch.dtype | None
) -> tuple[DeFormerForQuestionAnswering, PassageTokenizer]:
    model = DeFormerForQuestionAnswering.from_pretrained(
        config.model,
        config.lower_layers,
        attention_dropout=config.attention_dropout,
        hidden_dropout=config.hidden_dropout,
        max_seq_len=config.max_seq_len,
        doc_stride=config.doc_stride,
        max_question_length=config.max_question_length,
    )
    if config.freeze_embeddings:
        model.freeze_embeddings()
    if config.freeze_lower:
        model.freeze_lower()
        check_index_stays_valid(config, model, dtype)
    return model, PassageTokenizer(load_tokenizer(config.model), model.deformer_config, model.backbone)


def _load_teacher(
    folder: str, student: DeFormerForQuestionAnswering, passages: PassageTokenizer
) -> DeFormerForQuestionAnswering:
    # no cut is given: whether the folder records the cut 0 is what tells a teacher
    teacher = DeFormerForQuestionAnswering.from_pretrained(folder)
    teacher_passages = PassageTokenizer(load_tokenizer(folder), teacher.deformer_config, teacher.backbone)
    check_teacher(teacher, teacher_passages, student, passages)
    return teacher


def _teacher(
    config: TrainingConfig,
    model: DeFormerForQuestionAnswering,
    dataset: SquadFeatures,
    outputs: str | os.PathLike[str] | None,
) -> Teacher:
    layers = model.num_layers - config.lower_layers if config.lrs_weight > 0 else 0
    kept = None if outputs is None else KeptLessons(outputs, dataset.features, model, layers, bf16=config.bf16)
    return Teacher(model, layers, kept=kept, bf16=config.bf16)


def _features(config: TrainingConfig, passages: PassageTokenizer, *, progress_bar: bool) -> SquadFeatures:
    examples: list[SquadExample] = load_squad(config.train)[0]
    if config.unlabelled:
        examples += load_squad(config.unlabelled, labelled=False)[0]
    examples, held_out = split_held_out(examples, config.held_out)
    if held_out:
        logger.info("%d questions on held-out passages take no part.", len(held_out))
    if config.hard_negatives:
        negatives = hard_negatives(
            examples,
            config.hard_negatives,
            labelled=config.teacher is None,
            seed=config.seed,
            progress_bar=progress_bar,
        )
        logger.log(logging.INFO if negatives else logging.WARNING, "%d hard negatives were found.", len(negatives))
        examples += negatives
    dataset = SquadFeatures(examples, passages, progress_bar=progress_bar)
    for why, ids in (
        ("whose answer is longer than a window's overlap and stands whole in none", dataset.unreachable),
        ("that have no token", dataset.unreadable),
    ):
        if ids:
            logger.warning("%d questions of %d %s are left out (%s).", len(ids), len(examples), why, ", ".join(ids[:3]))
    if not len(dataset):
        msg = f"No question of {', '.join(config.train)} is left to train on (held_out={config.held_out})."
        raise ValueError(msg)
    return dataset


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
