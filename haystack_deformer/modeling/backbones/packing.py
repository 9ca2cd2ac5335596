"""Padding put behind everything else, for layers that count columns where they ought to count tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from haystack_deformer.modeling.backbones.base import TokenContext
from haystack_deformer.modeling.masks import present_tokens


def pack(states: Tensor, context: TokenContext) -> tuple[Tensor, TokenContext, Tensor | None]:
    """
    Move padding to the end of each row.

    A joined sequence has padding in its middle. Without it, two columns of one block are as far apart as the context's
    positions say, below the cut and above it.

    :param states: (batch, length, hidden_size).
    :param context: of these states.
    :return: both in the new order, and what `unpack` needs; that is None where there is no padding.
    """
    if context.attention is None:
        return states, context, None
    batch, length = states.shape[:2]
    attention = context.attention.expand(batch, -1, -1, -1)
    order = (~present_tokens(attention)).to(torch.int64).argsort(dim=1, stable=True)
    attention = attention.gather(3, order[:, None, None].expand(-1, -1, attention.shape[2], -1))
    if attention.shape[2] > 1:
        attention = attention.gather(2, order[:, None, :, None].expand(-1, -1, -1, length))
    packed = TokenContext(
        attention=attention,
        positions=context.positions.expand(batch, -1).gather(1, order),
        segments=context.segments.expand(batch, -1).gather(1, order),
    )
    return _reorder(states, order), packed, order


def unpack(states: Tensor, order: Tensor | None) -> Tensor:
    """
    Put states back where they stood before `pack`.

    :param states: (batch, length, hidden_size).
    :param order: what `pack` returned.
    """
    return states if order is None else _reorder(states, order.argsort(dim=1))


def _reorder(states: Tensor, order: Tensor) -> Tensor:
    return states.gather(1, order[:, :, None].expand(-1, -1, states.shape[2]))
