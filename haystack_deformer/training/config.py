"""Settings of a training run: what decides the weights that come out, checked before anything is read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from haystack_deformer.squad import check_held_out

DISTILLATION_SETTINGS = ("ce_weight", "kd_weight", "lrs_weight", "temperature")
"""The settings that say how to learn from a teacher."""


@dataclass(frozen=True)
class TrainingConfig:
    """
    What decides the weights that come out. The defaults are the paper's for SQuAD and BERT-base.

    :param model: name or path that training starts from.
    :param train: files in SQuAD format.
    :param lower_layers: the cut k.
    :param learning_rate: peak of AdamW's.
    :param num_train_epochs: passes over the data.
    :param max_steps: optimiser's steps to stop after in place of whole passes; -1: as many as the passes take.
    :param batch_size: windows in a step.
    :param warmup_ratio: share of the steps in which the learning rate rises; it falls linearly to 0 after.
    :param weight_decay: of AdamW.
    :param max_grad_norm: to which gradients are clipped.
    :param seed: of the order of the data, dropout and a new head.
    :param max_seq_len: tokens of question and window together.
    :param doc_stride: tokens between the starts of two windows.
    :param max_question_length: tokens of a question without its special tokens.
    :param held_out: share of the passages that no step sees, to choose settings on; which ones depends on their texts
        alone, so that every run on whatever files holds out the same.
    :param attention_dropout: of the attention's weights, in place of the model's own; 0 allows a fused attention, which
        makes a step on a CPU a third faster.
    :param hidden_dropout: of the embeddings, the states between the layers and the head, in place of the model's own
        (of XLNet also the attention's). A small student that is short of steps fits sooner without. Saved with the
        model, as the attention's is: a run that starts from it has it as the model's own.
    :param bf16: matrix products in bfloat16 (autocast); 2.7 times the rate of fp32 on a CPU with AVX512-BF16.
    :param questions_per_window: questions on one window that are put in the same batch, at most: the layers up to the
        cut run over the window once for all of them. Of no use, and left alone, at the cut 0.
    :param cut_warmup_ratio: share of the steps in which the cut climbs from 1 to `lower_layers`, a layer at a time: a
        student that starts from a model with full attention loses less of it at once. 0: the cut is there from the
        first step, as in the paper.
    :param weight_averaging_ratio: share of the steps, the last of them, whose weights' mean is the trained model in
        place of the last step's: a higher learning rate is then of use. 0: the last step's, as in the paper.
    :param freeze_embeddings: whether to leave the embeddings as they are: most words of a small data set are seen a few
        times, and their dense gradients take a fifth of a small model's step on a CPU.
    :param freeze_lower: whether to train the layers above the cut alone: an index made before stays valid.
    :param teacher: folder of a model with the cut 0 to learn from; None: plain fine-tuning, by the cross-entropy with
        the labels alone.
    :param ensemble: folders of further models, of any cut, whose logits count as much as the teacher's: the student
        comes near to the mean of all (Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015).
        The states are the teacher's.
    :param unlabelled: files in SQuAD format whose questions are learnt from the teacher alone; their answers are not
        read.
    :param hard_negatives: passages of other questions that each question is asked of as well, on the average, among
        those most like it: a reader of retrieved passages has to tell which of them answers. With a teacher it says
        what is in them; without, they count as having no answer, but for those that hold one of the question's.
    :param ce_weight: gamma, of the cross-entropy with the labels, its mean over a batch's labelled questions:
        `unlabelled` ones beside them take nothing from the labels' weight, and the fewer labels a batch has, the more
        each of them counts.
    :param kd_weight: alpha, of the divergence from the teacher's logits.
    :param lrs_weight: beta, of the squared difference from the teacher's states above the cut.
    :param temperature: by which the logits are divided before they are compared.
    """

    model: str
    train: tuple[str, ...]
    lower_layers: int
    learning_rate: float = 5e-5
    num_train_epochs: float = 3.0
    max_steps: int = -1
    batch_size: int = 32
    warmup_ratio: float = 0.15
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    seed: int = 42
    max_seq_len: int = 320
    doc_stride: int = 128
    max_question_length: int = 64
    held_out: float = 0.0
    attention_dropout: float | None = None
    hidden_dropout: float | None = None
    bf16: bool = False
    questions_per_window: int = 4
    cut_warmup_ratio: float = 0.0
    weight_averaging_ratio: float = 0.0
    freeze_embeddings: bool = False
    freeze_lower: bool = False
    teacher: str | None = None
    ensemble: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    hard_negatives: float = 0.0
    # the paper's for k = 9 of 12
    ce_weight: float = 0.7
    kd_weight: float = 1.1
    lrs_weight: float = 0.5
    temperature: float = 2.0

    def __post_init__(self) -> None:
        self._keep_names_as_text()
        if self.questions_per_window < 1:
            msg = f"questions_per_window must be at least 1, got {self.questions_per_window}."
            raise ValueError(msg)
        check_held_out(self.held_out)
        if not 0 <= self.hard_negatives < float("inf"):
            msg = f"hard_negatives is a number of passages for each question, 0 or more, got {self.hard_negatives}."
            raise ValueError(msg)
        if self.freeze_lower and not self.lower_layers:
            msg = "freeze_lower=True with lower_layers=0 would freeze the embeddings alone: give a cut of 1 or more."
            raise ValueError(msg)
        if not 0 <= self.cut_warmup_ratio < 1:
            msg = f"cut_warmup_ratio is a share of the steps from 0 up to 1, got {self.cut_warmup_ratio}."
            raise ValueError(msg)
        if self.cut_warmup_ratio and self.lower_layers < 2:
            msg = (
                f"cut_warmup_ratio={self.cut_warmup_ratio} lets the cut climb from 1 on, and it ends at "
                f"lower_layers={self.lower_layers}: give a cut of 2 or more, or leave it out."
            )
            raise ValueError(msg)
        if not 0 <= self.weight_averaging_ratio <= 1 - self.cut_warmup_ratio:
            msg = (
                f"weight_averaging_ratio is a share of the steps from 0 to 1, none of them while the cut climbs "
                f"(cut_warmup_ratio={self.cut_warmup_ratio}), got {self.weight_averaging_ratio}."
            )
            raise ValueError(msg)
        if self.freeze_lower and self.cut_warmup_ratio:
            msg = "freeze_lower keeps the layers below one cut, and cut_warmup_ratio moves it: give one of them."
            raise ValueError(msg)
        for name in ("attention_dropout", "hidden_dropout"):
            if not 0 <= (getattr(self, name) or 0.0) < 1:
                msg = f"{name} is a share from 0 up to 1, got {getattr(self, name)}."
                raise ValueError(msg)
        self._check_length()
        self._check_weights()
        self._check_optimizer()

    def _keep_names_as_text(self) -> None:
        # as JSON keeps them; one file by itself is a list of one, and no list of letters
        for name in ("model", "teacher"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, os.fspath(getattr(self, name)))
        for name in ("train", "unlabelled", "ensemble"):
            given: Any = getattr(self, name)
            files = [given] if isinstance(given, (str, os.PathLike)) else given
            object.__setattr__(self, name, tuple(map(os.fspath, files)))

    def _check_length(self) -> None:
        if self.max_steps == 0 or self.max_steps < -1:
            msg = f"max_steps is a number of steps from 1 on, or -1 for whole passes, got {self.max_steps}."
            raise ValueError(msg)
        if not 0 < self.num_train_epochs < float("inf"):
            msg = f"num_train_epochs must be more than 0, got {self.num_train_epochs}: nothing would be learnt."
            raise ValueError(msg)
        if self.batch_size < 1:
            msg = f"batch_size must be at least 1, got {self.batch_size}."
            raise ValueError(msg)

    def _check_optimizer(self) -> None:
        if not 0 < self.learning_rate < float("inf"):
            msg = f"learning_rate must be more than 0, got {self.learning_rate}: nothing would be learnt."
            raise ValueError(msg)
        if not 0 <= self.warmup_ratio <= 1:
            msg = f"warmup_ratio is a share of the steps from 0 to 1, got {self.warmup_ratio}."
            raise ValueError(msg)
        if not 0 <= self.weight_decay < float("inf"):
            msg = f"weight_decay must be 0 or more, got {self.weight_decay}."
            raise ValueError(msg)
        if not 0 <= self.seed < 2**32:
            msg = f"seed must be a whole number from 0 up to 2**32, got {self.seed}."
            raise ValueError(msg)

    def _check_weights(self) -> None:
        weights = {name: getattr(self, name) for name in ("ce_weight", "kd_weight", "lrs_weight")}
        for name, weight in weights.items():
            if not 0 <= weight < float("inf"):
                msg = f"{name} must be 0 or more, got {weight}: a negative one would teach the opposite."
                raise ValueError(msg)
        if not any(weights.values()):
            msg = f"ce_weight, kd_weight and lrs_weight are all 0: nothing would be learnt. {weights}"
            raise ValueError(msg)
        if not 0 < self.temperature < float("inf"):
            msg = f"temperature must be positive, got {self.temperature}."
            raise ValueError(msg)
