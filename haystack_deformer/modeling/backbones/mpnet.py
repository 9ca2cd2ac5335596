"""MPNet: RoBERTa's positions below the first layer, and a bias for relative ones that all layers share."""

from __future__ import annotations

from torch import Tensor, nn

from haystack_deformer.modeling.backbones.base import TokenContext
from haystack_deformer.modeling.backbones.encoder import EncoderBackbone, first
from haystack_deformer.modeling.backbones.packing import pack, unpack
from haystack_deformer.modeling.backbones.roberta import RobertaBackbone
from haystack_deformer.modeling.masks import additive_mask


class MPNetBackbone(RobertaBackbone):
    """MPNet: `MPNetForQuestionAnswering`. Its position bias is shared by all layers; `freeze_lower` freezes it too."""

    model_types = ("mpnet",)
    # a layer's attention has modules of its own
    trims_last_layer = False
    answer_logits = EncoderBackbone.answer_logits

    @property
    def shared(self) -> nn.Module:
        """The bias for each distance."""
        return self.base.encoder.relative_attention_bias

    def run_layers(self, states: Tensor, start: int, stop: int, context: TokenContext) -> Tensor:
        """Upstream counts columns, so that padding must be out of the way."""
        states, context, order = pack(states, context)
        mask = additive_mask(context.attention, states.dtype)
        # of one row: it is the same in all
        bias = self.base.encoder.compute_position_bias(states[:1])
        for layer in self.layers[start:stop]:
            states = first(layer(states, mask, position_bias=bias))
        return unpack(states, order)
