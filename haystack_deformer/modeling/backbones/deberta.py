"""DeBERTa: attention to what a token says and to how far off it stands, each with weights of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig

from haystack_deformer.modeling.backbones.base import Block, TokenContext
from haystack_deformer.modeling.backbones.encoder import EncoderBackbone, first
from haystack_deformer.modeling.backbones.packing import pack, unpack
from haystack_deformer.modeling.masks import present_tokens


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
        "conv_act",
        "conv_groups",
    )

    @classmethod
    def position_flops(cls, config: PretrainedConfig, length: int) -> int:
        """Distances are projected, and meet every token, once for each kind of attention to them."""
        if not config.relative_attention:
            return 0
        hidden, most = int(config.hidden_size), config.max_relative_positions
        most = config.max_position_embeddings if most < 1 else most
        buckets = getattr(config, "position_buckets", -1)
        span = min(length, most) if config.model_type == "deberta" else (buckets if buckets > 0 else most)
        kinds = len({"c2p", "p2c"} & set(config.pos_att_type or ()))
        return kinds * (2 * 2 * span * hidden**2 + 2 * length * 2 * span * hidden)

    @classmethod
    def convolution_flops(cls, config: PretrainedConfig, length: int) -> int:
        """Some of v2 have one."""
        groups = getattr(config, "conv_groups", 1)
        return 2 * length * getattr(config, "conv_kernel_size", 0) * int(config.hidden_size) ** 2 // groups

    @property
    def shared(self) -> nn.Module | None:
        """The embeddings of distances, their normalisation, the convolution over the first layer: those there are."""
        names = ("rel_embeddings", "LayerNorm", "conv")
        parts = [part for name in names if (part := getattr(self.base.encoder, name, None)) is not None]
        return nn.ModuleList(parts) if parts else None

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
        convolution = getattr(encoder, "conv", None)
        for number in range(start, stop):
            entered = states
            with self._precision(states):
                states = first(self.layers[number](states, mask, relative_pos=distances, rel_embeddings=embeddings))
            if number == 0 and convolution is not None:
                # each block by itself where the mask keeps them apart: neighbours across the border do not count
                states = torch.stack(
                    [
                        convolution(entered * tokens[:, :, None], states, tokens.long())
                        for tokens in _blocks(mask, context.segments)
                    ]
                ).sum(dim=0)
        return unpack(states, order)

    def _precision(self, states: Tensor) -> AbstractContextManager[Any]:
        """Upstream's first version fills scores with a value that bfloat16 has not, where autocast made them so."""
        if self.model.config.model_type == "deberta":
            return torch.autocast(states.device.type, enabled=False)
        return nullcontext()


def _blocks(mask: Tensor, segments: Tensor) -> list[Tensor]:
    """The tokens that see each other, as masks over the whole: bool, (1 or batch, length)."""
    present = present_tokens(mask)
    if mask.shape[2] == 1:
        return [present]
    return [present & (segments == block.value) for block in Block]
