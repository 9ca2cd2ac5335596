"""What a teacher makes of a batch, as the losses compare it."""

from __future__ import annotations

from dataclasses import dataclass

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
        states = token_states(output)
        return cls(output.start_logits, output.end_logits, states[len(states) - layers :])


def token_states(output: SpanLogits) -> tuple[Tensor, ...]:
    """
    The hidden states without padding, (tokens, hidden_size) each; empty where the output has none.

    :param output: of a model.
    """
    if output.hidden_states is None or output.token_mask is None:
        return ()
    return tuple(states[output.token_mask] for states in output.hidden_states)
