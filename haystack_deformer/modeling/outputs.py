"""What the model returns, and the loss of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F
from transformers.utils import ModelOutput

IGNORE_INDEX = -100
"""Stands in place of a column where a question has no label: it counts in no cross-entropy."""


@dataclass
class SpanLogits(ModelOutput):
    """
    Logits of spans over `1 + passage length` columns: column 0 is the null answer, the others the passage's tokens.

    :param loss: where positions were given.
    :param start_logits: (batch, 1 + passage length).
    :param end_logits: (batch, 1 + passage length).
    :param hidden_states: where they were asked for: what comes out of each layer above the cut, (batch, question length
        + passage length, hidden_size) each, in the family's order of the blocks.
    :param token_mask: beside them: bool, (batch, question length + passage length), False for padding.
    """

    loss: Tensor | None = None
    start_logits: Tensor = None  # type: ignore[assignment]  # ModelOutput wants a default after the first field
    end_logits: Tensor = None  # type: ignore[assignment]
    hidden_states: tuple[Tensor, ...] | None = None
    token_mask: Tensor | None = None


def span_cross_entropy(logits: Tensor, columns: Tensor) -> Tensor:
    """
    Mean cross-entropy over the questions that have a label; 0 where none has.

    :param logits: (batch, columns), of starts or of ends.
    :param columns: int64, (batch,), the right one, or `IGNORE_INDEX`.
    """
    total = F.cross_entropy(logits.float(), columns, ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (columns != IGNORE_INDEX).sum().clamp(min=1)
