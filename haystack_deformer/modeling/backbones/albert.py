"""ALBERT: BERT whose layers share their weights."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from haystack_deformer.modeling.backbones.base import Block, TokenContext
from haystack_deformer.modeling.backbones.encoder import EncoderBackbone, first
from haystack_deformer.modeling.masks import additive_mask


class AlbertBackbone(EncoderBackbone):
    """
    ALBERT: `AlbertForQuestionAnswering`.

    The layers above the cut are those below it: training them further changes the stored states.
    """

    model_types = ("albert",)

    @property
    def layers(self) -> nn.ModuleList:
        """For each layer its group of weights, which comes up as often as layers share it."""
        groups = self.base.encoder.albert_layer_groups
        layers = self.model.config.num_hidden_layers
        # upstream's own arithmetic: whole numbers would put some layers of uneven groups into another one
        return nn.ModuleList([groups[int(number / (layers / len(groups)))] for number in range(layers)])

    @property
    def embeddings(self) -> nn.Module:
        """Those of BERT, and the map to the layers' width."""
        return nn.ModuleList([self.base.embeddings, self.base.encoder.embedding_hidden_mapping_in])

    def embed(self, input_ids: Tensor, block: Block) -> Tensor:
        """As BERT, then as wide as the layers."""
        return self.base.encoder.embedding_hidden_mapping_in(super().embed(input_ids, block))

    def run_layers(self, states: Tensor, start: int, stop: int, context: TokenContext) -> Tensor:
        """A group's own `forward` wants a mask of heads, so that its parts are run in its place."""
        mask = additive_mask(context.attention, states.dtype)
        groups: Any = self.layers[start:stop]
        for group in groups:
            for layer in group.albert_layers:
                states = first(layer(states, mask))
        return states
