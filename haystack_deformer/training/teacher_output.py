"""What a teacher makes of a batch, as the losses compare it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from haystack_deformer.modeling import SpanLogits


@dataclass(frozen=True)
class TeacherOutput:
    """
    What a student is to come near to, of one batch.

    :param start_logits: (batch, 1 + passage length), the least value of the dtype for padding.
    :param end_logits: (batch, 1 + passage length).
    :param token_states: of each layer that is compared, the last one last: (tokens, hidden_size), the batch's sequences
        one after the other without their padding. Empty where none is.
    """

    start_logits: Tensor
    end_logits: Tensor
    token_states: tuple[Tensor, ...] = ()

    @classmethod
    def of(cls, output: SpanLogits, layers: int) -> TeacherOutput:
        """
        Of a model's output.

        :param output: with its hidden states where they are to be compared.
        :param layers: how many of the last are.
        """
        return cls(output.start_logits, output.end_logits, token_states(output, layers))

    def with_mean_logits(self, others: Sequence[SpanLogits]) -> TeacherOutput:
        """
        The same states, with the mean of its own logits and those of others.

        :param others: of the same batch.
        """
        if not others:
            return self
        return replace(
            self,
            start_logits=_mean_logits([self.start_logits, *(other.start_logits for other in others)]),
            end_logits=_mean_logits([self.end_logits, *(other.end_logits for other in others)]),
        )


def _mean_logits(logits: Sequence[Tensor]) -> Tensor:
    least = torch.finfo(logits[0].dtype).min
    mean = torch.stack(list(logits)).float().mean(dim=0).to(logits[0].dtype)
    # the sum of several is infinite, and padding is told by the very value
    return mean.masked_fill(logits[0] == least, least)


def token_states(output: SpanLogits, layers: int | None = None) -> tuple[Tensor, ...]:
    """
    The hidden states without padding, (tokens, hidden_size) each; empty where the output has none.

    :param output: of a model.
    :param layers: of how many of the last; None: of all.
    """
    if output.hidden_states is None or output.token_mask is None:
        return ()
    # before the padding goes, which copies
    first = 0 if layers is None else max(0, len(output.hidden_states) - layers)
    return tuple(states[output.token_mask] for states in output.hidden_states[first:])
