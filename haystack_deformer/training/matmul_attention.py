"""Attention whose gradients are matrix products: in bfloat16 on CPUs PyTorch's fused one is slow to go backwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class MatmulAttention(TorchFunctionMode):
    """
    While it is entered, attention with gradients, in bfloat16 on a CPU, is two products and a softmax.

    On a CPU with AMX a step of a model of 6 layers takes half the time (0.62 against 1.30 s for 16 windows of 180
    tokens): PyTorch's fused attention goes forward in 8 ms and back in 70, this one in 10 and 11. It holds the
    attention's weights for the way back, 2 bytes for each pair of tokens and head, 6 where some of them are dropped.

    In fp32, on a GPU, and without gradients, as for a teacher, the fused one is the faster and stays.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],  # PyTorch's signature
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Have one function done otherwise."""
        attends = func is F.scaled_dot_product_attention and torch.is_grad_enabled()
        # families name their arguments or do not
        return (_attend if attends else _call)(func, *args, **(kwargs or {}))


def _call(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return func(*args, **kwargs)


def _attend(
    fused: Callable[..., Tensor],
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **kwargs: Any,
) -> Tensor:
    fast_backwards = query.device.type != "cpu" or query.dtype != torch.bfloat16
    # and what no encoder has
    if fast_backwards or is_causal or kwargs.get("enable_gqa") or query.dim() != 4:
        return fused(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, **kwargs)
    if scale is None:
        scale = query.shape[-1] ** -0.5
    scores = torch.matmul(query * scale, key.transpose(-1, -2))
    if attn_mask is not None:
        least = torch.finfo(scores.dtype).min
        # fp32's least value would be -inf, and the softmax of a row of nothing else NaN
        scores = (
            scores.masked_fill(~attn_mask, least)
            if attn_mask.dtype == torch.bool
            else scores + attn_mask.clamp(min=least).to(scores.dtype)
        )
    # autocast would have it in fp32, at twice the bytes, which are what it costs; it adds up in fp32 all the same
    with torch.autocast("cpu", enabled=False):
        weights = F.dropout(torch.softmax(scores, dim=-1), dropout_p)
    return torch.matmul(weights, value)
