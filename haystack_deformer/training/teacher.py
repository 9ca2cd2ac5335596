"""Frozen models that say what they make of each batch, or what they are known to have made of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.training.teacher_output import TeacherOutput
from haystack_deformer.training.teacher_output_store import TeacherOutputStore


class Teacher:
    """
    A frozen model, or several, that says what it makes of a batch.

    :param model: run without dropout and without gradients.
    :param layers: of how many of its last layers the states are said beside the logits.
    :param ensemble: further models, whose logits are averaged with its own.
    :param kept: where what it said is kept, of as many layers; None: it is asked anew each time.
    :param bf16: whether its matrix products are in bfloat16.
    """

    def __init__(
        self,
        model: DeFormerForQuestionAnswering,
        layers: int,
        *,
        ensemble: Sequence[DeFormerForQuestionAnswering] = (),
        kept: TeacherOutputStore | None = None,
        bf16: bool = False,
    ) -> None:
        self.model, *self.ensemble = (one.requires_grad_(requires_grad=False).eval() for one in (model, *ensemble))
        self.layers = layers
        self.kept = kept
        self.bf16 = bf16

    def __call__(self, inputs: dict[str, Tensor], features: Sequence[int]) -> TeacherOutput:
        """
        The output of a batch.

        :param inputs: from `collate`.
        :param features: their numbers in the data set.
        """
        known = self._known(inputs, features)
        if known is not None:
            return known
        asked = {name: value for name, value in inputs.items() if not name.endswith("_positions")}
        # transformers gives autocast to the student alone where it runs on a GPU or in several processes
        device = inputs["passage_ids"].device.type
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=self.bf16):
            output = TeacherOutput.of(self.model(**asked, output_hidden_states=self.layers > 0), self.layers)
            output = output.with_mean_logits([model(**asked) for model in self.ensemble])
        if self.kept is None:
            return output
        self.kept.write(features, output)
        # as it is kept: a run that was stopped reads what another computes
        return self._known(inputs, features) or output

    def to(self, device: torch.device) -> None:
        """
        Move the models.

        :param device: of the student.
        """
        for model in (self.model, *self.ensemble):
            model.to(device)

    def _known(self, inputs: dict[str, Tensor], features: Sequence[int]) -> TeacherOutput | None:
        """What is kept of a batch."""
        passages = inputs["passage_ids"]
        return None if self.kept is None else self.kept.read(features, passages.shape[1], passages.device)
