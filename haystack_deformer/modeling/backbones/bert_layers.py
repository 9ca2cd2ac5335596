"""The last of BERT's layers for the tokens that can be answers alone: what it makes of the others nobody reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from haystack_deformer.modeling.backbones.base import TokenContext
from haystack_deformer.modeling.backbones.encoder import EncoderBackbone
from haystack_deformer.modeling.masks import additive_mask


class BertLayersBackbone(EncoderBackbone):
    """What families share whose layers are BERT's by their modules' names."""

    trims_last_layer = True

    def answer_logits(
        self, states: Tensor, start: int, context: TokenContext, columns: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The last layer gives its keys and values for all tokens, all else for the answers' columns alone."""
        last = len(self.layers) - 1
        states = self.run_layers(states, start, last, context)
        mask = additive_mask(context.attention, states.dtype)
        return self.span_logits(_attend_from(self.layers[last], columns(states), states, mask), context)


def _attend_from(layer: Any, queries: Tensor, states: Tensor, mask: Tensor | None) -> Tensor:
    """
    One layer for some of its tokens.

    :param layer: upstream's.
    :param queries: states of the tokens to compute, (batch, columns, hidden_size).
    :param states: of all tokens, (batch, length, hidden_size).
    :param mask: added to the scores, (batch, 1, 1, length); None: all tokens are there.
    :return: (batch, columns, hidden_size).
    """
    attention = layer.attention.self

    def heads(values: Tensor) -> Tensor:
        return values.unflatten(-1, (attention.num_attention_heads, -1)).transpose(1, 2)

    context = F.scaled_dot_product_attention(
        heads(attention.query(queries)),
        heads(attention.key(states)),
        heads(attention.value(states)),
        attn_mask=mask,
        dropout_p=attention.dropout.p if layer.training else 0.0,
    )
    attended = layer.attention.output(context.transpose(1, 2).flatten(2), queries)
    return layer.output(layer.intermediate(attended), attended)
