"""Which tokens are there, and where they stand."""

from __future__ import annotations

import torch
from torch import Tensor


def full_mask(states: Tensor, mask: Tensor | None) -> Tensor:
    """
    A mask of every row, where there may be none, or one row for the whole batch.

    :param states: (batch, length, hidden_size).
    :param mask: (batch or 1, length), 0 for padding; None: no padding.
    :return: bool, (batch, length).
    """
    if mask is None:
        return torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
    return mask.bool().expand(states.shape[0], -1)


def count_positions(mask: Tensor) -> Tensor:
    """
    Positions counted over the tokens that are there.

    :param mask: bool, (batch, length).
    :return: int64, (batch, length), from 0.
    """
    return (mask.long().cumsum(dim=1) - 1).clamp(min=0)
