"""ModernBERT: rotary positions in every layer, two layers of three look at their neighbourhood alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from haystack_deformer.modeling.backbones.base import Block, TokenContext
from haystack_deformer.modeling.backbones.encoder import EncoderBackbone, first
from haystack_deformer.modeling.backbones.packing import pack, unpack
from haystack_deformer.modeling.masks import additive_mask


class ModernBertBackbone(EncoderBackbone):
    """ModernBERT: `ModernBertForQuestionAnswering`, of transformers 4.51 and up."""

    model_types = ("modernbert",)
    fingerprint_fields = (
        "hidden_size",
        "num_attention_heads",
        "intermediate_size",
        "hidden_activation",
        "norm_eps",
        "global_rope_theta",
        "local_rope_theta",
        "rope_scaling",
        "local_attention",
        "global_attn_every_n_layers",
    )
    # one of them is the gate's
    feed_forward_matrices = 3
    attention_dropout_field = "attention_dropout"
    hidden_dropout_fields = ("embedding_dropout", "mlp_dropout", "classifier_dropout")
    # upstream would take flash attention where it is installed
    attention_implementation = "sdpa"

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__(model)
        # upstream's `forward`, which is not called here, switches it off on CPUs, whatever the config says
        model.config.reference_compile = False

    @property
    def layers(self) -> nn.ModuleList:
        """The encoder's layers."""
        return self.base.layers

    @property
    def head(self) -> nn.Module:
        """The last normalisation, a dense layer, and a linear map to two logits."""
        return nn.ModuleList([self.base.final_norm, self.model.head, self.model.classifier])

    def embed(self, input_ids: Tensor, block: Block) -> Tensor:  # noqa: ARG002  # blocks look alike
        """Words alone: positions come in with every layer."""
        return self.base.embeddings(input_ids)

    def run_layers(self, states: Tensor, start: int, stop: int, context: TokenContext) -> Tensor:
        """A token's neighbours are those of its block below the cut, and of the joined sequence above it."""
        states, context, order = pack(states, context)
        length = states.shape[1]
        attention = context.attention
        if attention is None:
            attention = torch.ones((1, 1, 1, length), dtype=torch.bool, device=states.device)
        columns = torch.arange(length, device=states.device)
        distances = (columns[:, None] - columns[None]).abs()
        # itself at least: a row of padding that sees nothing would be NaN where a softmax has no care for it
        nearby = (attention & (distances <= self.model.config.local_attention // 2)) | (distances == 0)
        everywhere, nearby = (additive_mask(mask, states.dtype) for mask in (attention, nearby))
        for layer in self.layers[start:stop]:
            states = first(layer(states, everywhere, sliding_window_mask=nearby, position_ids=context.positions))
        return unpack(states, order)

    def span_logits(self, states: Tensor, context: TokenContext) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """The two columns of the classifier."""
        states = self.model.drop(self.model.head(self.base.final_norm(states)))
        start, end = self.model.classifier(states).unbind(dim=-1)
        return start, end
