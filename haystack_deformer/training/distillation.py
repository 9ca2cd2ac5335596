"""
A student that learns from a teacher: the losses, and who may teach whom.

Method: Cao, Trivedi, Balasubramanian, Balasubramanian, "DeFormer: Decomposing Pre-trained Transformers for Faster
Question Answering", ACL 2020, section 3.2.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from haystack_deformer.modeling import DeFormerForQuestionAnswering, SpanLogits
from haystack_deformer.passages import PassageTokenizer
from haystack_deformer.training.teacher_output import TeacherOutput, token_states


def kd_loss(student: SpanLogits, teacher: TeacherOutput | SpanLogits, temperature: float) -> Tensor:
    """
    Knowledge distillation: `T^2 * (KL(teacher || student) of the starts + of the ends) / 2`, mean over the batch.

    :param student: logits, (batch, 1 + passage length).
    :param teacher: of the same batch.
    :param temperature: T, by which the logits of both are divided; the higher, the more the unlikely spans count.
    """
    pairs = ((student.start_logits, teacher.start_logits), (student.end_logits, teacher.end_logits))
    return temperature**2 * torch.stack([_divergence(*pair, temperature) for pair in pairs]).mean()


def _divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    # the least value of a padded column is further than a difference can be: NaN gradients; e^-10000 is 0 as well, at
    # every temperature
    padding = teacher == torch.finfo(teacher.dtype).min
    ours, theirs = (
        F.log_softmax((logits.float() / temperature).masked_fill(padding, -1e4), dim=-1)
        for logits in (student, teacher)
    )
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def lrs_loss(student: SpanLogits, teacher: TeacherOutput) -> Tensor:
    """
    Layer-wise representation similarity: the mean squared error between the states of student and teacher, the mean
    over the student's upper layers and over all tokens but padding.

    :param student: with its hidden states.
    :param teacher: of the same batch. As many of the last layers are compared as both have.
    """
    learnt = token_states(student)
    if not learnt or not teacher.token_states:
        msg = "The hidden states are missing: call the models with output_hidden_states=True."
        raise ValueError(msg)
    count = min(len(learnt), len(teacher.token_states))
    pairs = zip(learnt[-count:], teacher.token_states[-count:], strict=True)
    errors = [F.mse_loss(ours.float(), theirs.float()) for ours, theirs in pairs]
    return torch.stack(errors).mean()


def check_teacher(
    teacher: DeFormerForQuestionAnswering,
    teacher_passages: PassageTokenizer,
    student: DeFormerForQuestionAnswering,
    student_passages: PassageTokenizer,
) -> None:
    """
    Refuse a teacher whose tokens and layers do not line up one to one with the student's.

    :param teacher: the model to learn from.
    :param teacher_passages: makes its windows.
    :param student: the model that learns.
    :param student_passages: makes its windows.
    :raises ValueError: names what differs, and both values.
    """
    if teacher.lower_layers:
        msg = (
            f"The teacher is cut at lower_layers={teacher.lower_layers}: it must be the full model of the same layout. "
            "Train one with `haystack-deformer train` and `--lower-layers 0`."
        )
        raise ValueError(msg)
    for what, theirs, ours in (
        ("number of layers", teacher.num_layers, student.num_layers),
        ("width (hidden_size)", teacher.backbone.hidden_size, student.backbone.hidden_size),
    ):
        if theirs != ours:
            msg = f"The teacher's {what} is not the student's: {theirs!r} against {ours!r}."
            raise ValueError(msg)
    check_ensemble_member(teacher, teacher_passages, student, student_passages)


def check_ensemble_member(
    teacher: DeFormerForQuestionAnswering,
    teacher_passages: PassageTokenizer,
    student: DeFormerForQuestionAnswering,
    student_passages: PassageTokenizer,
) -> None:
    """
    Refuse a model whose logits do not line up one to one with the student's.

    :param teacher: the model whose logits are learnt from.
    :param teacher_passages: makes its windows.
    :param student: the model that learns.
    :param student_passages: makes its windows.
    :raises ValueError: names what differs, and both values.
    """
    for what, theirs, ours in (
        ("family", teacher.config.model_type, student.config.model_type),
        ("layout of special tokens", teacher_passages.layout, student_passages.layout),
    ):
        if theirs != ours:
            msg = f"The teacher's {what} is not the student's: {theirs!r} against {ours!r}."
            raise ValueError(msg)
    if teacher_passages.fingerprint["tokenizer"] != student_passages.fingerprint["tokenizer"]:
        sizes = [len(passages.tokenizer) for passages in (teacher_passages, student_passages)]
        msg = (
            f"The teacher's tokenizer (of {sizes[0]} tokens) is not the student's (of {sizes[1]}): their tokens would "
            "not line up. Train the teacher from the same checkpoint as the student."
        )
        raise ValueError(msg)
    needed = student_passages.passage_length
    longest = teacher.backbone.max_block_length
    if longest is not None and needed > longest:
        msg = f"The teacher has positions for {longest} tokens, the student's windows have {needed}: lower max_seq_len."
        raise ValueError(msg)
