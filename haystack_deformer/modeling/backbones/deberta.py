"""DeBERTa: attention to what a token says and to how far off it stands, each with weights of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig

from haystack_deformer.modeling.backbones.base import TokenContext
from haystack_deformer.modeling.backbones.encoder import EncoderBackbone, first
from haystack_deformer.modeling.backbones.packing import pack, unpack


class DebertaBackbone(EncoderBackbone):
    """
    DeBERTa, v2 and v3: `DebertaForQuestionAnswering`, `DebertaV2ForQuestionAnswering`.

    Training the layers above the cut further trains the embeddings of distances too, which those below it share.
    """

    model_types = ("deberta", "deberta-v2")
    fingerprint_fields = (
        *EncoderBackbone.fingerprint_fields,
        "relative_attention",
        "max_relative_positions",
        "max_position_embeddings",
        "position_biased_input",
        "pos_att_type",
        "position_buckets",
        "norm_rel_ebd",
        "share_att_key",
        "talking_head",
    )

    @classmethod
    def check(cls, config: PretrainedConfig) -> None:
        """Refuse a convolution over the first layer, which mixes what stands at the blocks' border."""
        super().check(config)
        size = getattr(config, "conv_kernel_size", 0)
        if size:
            msg = f"A {config.model_type} with conv_kernel_size={size} cannot be decomposed: it must be 0, as in v3."
            raise ValueError(msg)

    @property
    def shared(self) -> nn.Module | None:
        """The embeddings of distances, and their normalisation where there is one."""
        encoder = self.base.encoder
        parts = [getattr(encoder, name) for name in ("rel_embeddings", "LayerNorm") if hasattr(encoder, name)]
        return nn.ModuleList(parts) if self.model.config.relative_attention else None

    @property
    def max_block_length(self) -> int | None:
        """As many as there are position embeddings; mostly there are none, and distances have no end."""
        return super().max_block_length if self.base.embeddings.position_embeddings is not None else None

    def run_layers(self, states: Tensor, start: int, stop: int, context: TokenContext) -> Tensor:
        """Upstream counts columns, so that padding must be out of the way."""
        states, context, order = pack(states, context)
        encoder = self.base.encoder
        mask = context.attention
        if mask is None:
            mask = torch.ones((1, 1, 1, states.shape[1]), dtype=torch.bool, device=states.device)
        distances, embeddings = encoder.get_rel_pos(states), encoder.get_rel_embedding()
        for layer in self.layers[start:stop]:
            states = first(layer(states, mask, relative_pos=distances, rel_embeddings=embeddings))
        return unpack(states, order)
