"""The whole way from a checkpoint to a student: teacher, student, figures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from haystack_deformer.evaluation import compare, evaluate, evaluate_codecs
from haystack_deformer.modeling.loading import resolve_config
from haystack_deformer.passages import load_encoder
from haystack_deformer.squad import SquadExample, load_squad, split_held_out
from haystack_deformer.training.card import CardRow, write_card
from haystack_deformer.training.config import DISTILLATION_SETTINGS, TrainingConfig
from haystack_deformer.training.data import load_unlabelled
from haystack_deformer.training.run import train
from haystack_deformer.training.saving import check_output
from haystack_deformer.training.settings_file import several_processes
from haystack_deformer.training.unseen import check_unseen, count_seen

_CODECS = ("SQfp16", "SQ8", "SQ4")


def distil(
    config: TrainingConfig,
    output: str | os.PathLike[str],
    *,
    teacher: str | os.PathLike[str] | None = None,
    teacher_epochs: float | None = None,
    eval_data: Sequence[str | os.PathLike[str]] = (),
    save_steps: int = 500,
    teacher_outputs: str | os.PathLike[str] | None = None,
    dtype: torch.dtype | None = None,
    progress_bar: bool = True,
) -> Path:
    """
    Train a teacher with full attention, then a student at the cut that starts from it and learns from it.

    Started again with the same settings it goes on where it was stopped: what is trained is not trained again.

    :param config: the student's settings; `model` is what the teacher starts from, of no effect where one is given.
        A `teacher` among them is as one that is given.
    :param output: folder for the student; the teacher goes into `teacher` in it.
    :param teacher: folder of a teacher that is trained already; None: train one.
    :param teacher_epochs: passes of the teacher over the data; None: as many as the student's.
    :param eval_data: files in SQuAD format to take the figures from; none: the held-out passages of the training files.
    :param save_steps: steps between two checkpoints.
    :param teacher_outputs: folder to keep what the teacher says in, as `train` does.
    :param dtype: of the student's written weights; None: fp32.
    :param progress_bar: whether to show one.
    :return: the model card.
    :raises ValueError: for a cut of 0, frozen lower layers without a teacher, epochs of one that is given, several
        processes, or where there is nothing to take the figures from that the teacher has not seen; and as `train`.
    """
    output = Path(output)
    teacher = config.teacher if teacher is None else teacher
    if teacher is not None and teacher_epochs is not None:
        msg = f"{str(teacher)!r} is trained already, and teacher_epochs={teacher_epochs} of no use: leave one out."
        raise ValueError(msg)
    if config.lower_layers < 1:
        msg = "lower_layers=0 is the teacher itself: give a student a cut of 1 or more."
        raise ValueError(msg)
    if config.freeze_lower and teacher is None:
        msg = (
            "freeze_lower=True keeps the lower layers of what a student starts from, and that is a teacher which is "
            "yet to be trained: give a teacher, or leave it out."
        )
        raise ValueError(msg)
    if several_processes():
        msg = "distil runs in one process: make the teacher and the student with `train`, which torchrun can start."
        raise ValueError(msg)
    check_output(replace(config, teacher=None if teacher is None else str(teacher)), output)
    # before the hours of training, not after them
    asked = _evaluation_examples(config, eval_data)
    start = config.model if teacher is None else str(teacher)
    on = ", ".join(Path(path).name for path in eval_data)
    if not eval_data:
        check_unseen(start, config, asked)
    elif seen := count_seen(asked, config):
        on += f", {seen} of them on passages that were trained on"
    if teacher is None:
        # what is the student's alone would be looked at after the teacher's hours
        resolve_config(start, config.lower_layers)
        if config.unlabelled:
            load_unlabelled(config)
        teacher = output / "teacher"
        settings = replace(
            config,
            lower_layers=0,
            teacher=None,
            ensemble=(),
            unlabelled=(),
            freeze_lower=False,
            # what a small student is helped by, a teacher that learns the task anew is not
            freeze_embeddings=False,
            hidden_dropout=None,
            cut_warmup_ratio=0.0,
            **{name: getattr(TrainingConfig, name) for name in DISTILLATION_SETTINGS},
            num_train_epochs=config.num_train_epochs if teacher_epochs is None else teacher_epochs,
            # steps would go before epochs
            max_steps=config.max_steps if teacher_epochs is None else -1,
        )
        train(settings, teacher, save_steps=save_steps, progress_bar=progress_bar)
    settings = replace(config, model=str(teacher), teacher=str(teacher))
    train(
        settings,
        output,
        save_steps=save_steps,
        teacher_outputs=teacher_outputs,
        dtype=dtype,
        progress_bar=progress_bar,
    )

    baseline = evaluate(load_encoder(teacher), asked, codec="Flat", progress_bar=progress_bar)
    results = evaluate_codecs(load_encoder(output), asked, _CODECS, progress_bar=progress_bar)
    rows = [
        CardRow("teacher, full attention", "", baseline, None),
        *(
            CardRow(f"k = {config.lower_layers}", codec, result, compare(result, baseline))
            for codec, result in results.items()
        ),
    ]
    return write_card(output, start, settings, rows, on=on)


def _evaluation_examples(config: TrainingConfig, eval_data: Sequence[str | os.PathLike[str]]) -> list[SquadExample]:
    if eval_data:
        return load_squad(eval_data, keep_misplaced=True)[0]
    examples = split_held_out(load_squad(config.train, keep_misplaced=True)[0], config.held_out)[1]
    if not examples:
        msg = (
            f"No passage is held out (held_out={config.held_out}) and no data to evaluate on is given, so there would "
            "be no figures: raise the first or give the second."
        )
        raise ValueError(msg)
    return examples
