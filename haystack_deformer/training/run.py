"""A training run from settings to a saved model, which goes on where it was stopped."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from transformers import set_seed

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageTokenizer, load_tokenizer
from haystack_deformer.training.arguments import training_arguments
from haystack_deformer.training.checkpoints import checkpoints_in, last_checkpoint
from haystack_deformer.training.config import DISTILLATION_SETTINGS, TrainingConfig
from haystack_deformer.training.data import training_features
from haystack_deformer.training.distillation import check_ensemble_member, check_teacher
from haystack_deformer.training.features import SquadFeatures, collate_numbered
from haystack_deformer.training.matmul_attention import MatmulAttention
from haystack_deformer.training.saving import check_index_stays_valid, check_output, kept_model, save_trained
from haystack_deformer.training.settings_file import (
    SETTINGS_FILE,
    check_resumable,
    is_finished,
    save_settings,
    several_processes,
)
from haystack_deformer.training.teacher import Teacher
from haystack_deformer.training.teacher_output_store import TeacherOutputStore
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
    finished is not trained again.

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
    :raises ValueError: for an output that is the model, the teacher or the checkpoints, data that cannot be used, a
        teacher that does not fit the student, settings of one where there is none, checkpoints of a run with other
        settings, or frozen layers whose index would not stay valid.
    :raises FloatingPointError: where the loss or a gradient is no longer finite; names the step.
    """
    _check_teacher_is_given(config, teacher_outputs)
    check_output(config, output, checkpoints)
    if resume and is_finished(config, output):
        return kept_model(config, output, dtype)
    folder = Path(checkpoints) if checkpoints is not None else Path(output) / "checkpoints"
    last = last_checkpoint(folder) if resume else None
    if last is not None:
        check_resumable(config, folder)
    elif not resume and several_processes():
        msg = f"Of several processes none removes another's checkpoints: remove {str(folder)!r}, and resume."
        raise ValueError(msg)

    set_seed(config.seed)
    model, passages = _load_student(config, dtype)
    teachers = _load_teachers(config, model, passages)
    dataset = training_features(config, passages, progress_bar=progress_bar)
    teacher = _teacher(config, teachers, dataset, teacher_outputs) if teachers else None
    if not resume:
        # not before what was given is known to be of use, and the checkpoints alone: the folder may be one that the
        # user keeps other things in
        for checkpoint in checkpoints_in(folder):
            shutil.rmtree(checkpoint)
    save_settings(config, folder)
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
        # on a GPU it would change nothing, and be asked at every call of torch
        with MatmulAttention() if config.bf16 and trainer.args.device.type == "cpu" else nullcontext():
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


def _check_teacher_is_given(config: TrainingConfig, outputs: str | os.PathLike[str] | None) -> None:
    """Where there is something that only a teacher can make use of."""
    if config.teacher is not None:
        return
    if config.unlabelled:
        msg = "Questions without labels can only be learnt from a teacher: give `teacher` beside `unlabelled`."
        raise ValueError(msg)
    if config.ensemble:
        msg = f"An ensemble is of a teacher and others: give `teacher` beside `ensemble={list(config.ensemble)}`."
        raise ValueError(msg)
    given = [name for name in DISTILLATION_SETTINGS if getattr(config, name) != getattr(TrainingConfig, name)]
    if given:
        values = ", ".join(f"{name}={getattr(config, name)}" for name in given)
        msg = f"Without a teacher the labels' cross-entropy is all: give `teacher` beside {values}, or leave that out."
        raise ValueError(msg)
    if outputs is not None:
        msg = "There are no outputs to keep without a teacher: give `teacher` beside `teacher_outputs`."
        raise ValueError(msg)


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


def _load_teachers(
    config: TrainingConfig, student: DeFormerForQuestionAnswering, passages: PassageTokenizer
) -> list[DeFormerForQuestionAnswering]:
    """The teacher first, those whose logits are averaged with its own after it; none where there is no teacher."""
    teachers: list[DeFormerForQuestionAnswering] = []
    for folder in () if config.teacher is None else (config.teacher, *config.ensemble):
        # no cut is given: whether the folder records the cut 0 is what tells a teacher
        teacher = DeFormerForQuestionAnswering.from_pretrained(folder)
        teacher_passages = PassageTokenizer(load_tokenizer(folder), teacher.deformer_config, teacher.backbone)
        # the others have no states to compare, so that any cut will do
        check = check_ensemble_member if teachers else check_teacher
        check(teacher, teacher_passages, student, passages)
        teachers.append(teacher)
    return teachers


def _teacher(
    config: TrainingConfig,
    models: Sequence[DeFormerForQuestionAnswering],
    dataset: SquadFeatures,
    outputs: str | os.PathLike[str] | None,
) -> Teacher:
    model, *ensemble = models
    layers = model.num_layers - config.lower_layers if config.lrs_weight > 0 else 0
    kept = None
    if outputs is not None:
        kept = TeacherOutputStore(outputs, dataset.features, model, layers, ensemble=ensemble, bf16=config.bf16)
    return Teacher(model, layers, ensemble=ensemble, kept=kept, bf16=config.bf16)
