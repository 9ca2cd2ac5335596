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


def additive_mask(attention: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """
    A mask to add to attention's scores.

    :param attention: bool, which tokens may be attended to; None: all.
    :param dtype: of the scores.
    :return: 0 where they may and the least value where they may not, in the same shape.
    """
    if attention is None:
        return None
    mask = torch.zeros_like(attention, dtype=dtype)
    return mask.masked_fill_(~attention, torch.finfo(dtype).min)


def present_tokens(attention: Tensor) -> Tensor:
    """
    The tokens that are there: those that may attend to themselves.

    :param attention: bool, (batch, 1, 1 or length, length).
    :return: bool, (batch, length).
    """
    return attention[:, 0, 0] if attention.shape[2] == 1 else attention[:, 0].diagonal(dim1=1, dim2=2)
