"""What the model returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from transformers.utils import ModelOutput


@dataclass
class SpanLogits(ModelOutput):
    """
    Logits of spans over `1 + passage length` columns: column 0 is the null answer, the others the passage's tokens.

    :param loss: where positions were given.
    :param start_logits: (batch, 1 + passage length).
    :param end_logits: (batch, 1 + passage length).
    """

    loss: Tensor | None = None
    start_logits: Tensor = None  # type: ignore[assignment]  # ModelOutput wants a default after the first field
    end_logits: Tensor = None  # type: ignore[assignment]
