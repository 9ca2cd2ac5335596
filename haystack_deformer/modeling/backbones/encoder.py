"""What families share that are built like BERT: an encoder with one linear map to two logits over it."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedTokenizerFast

from haystack_deformer.modeling.backbones.base import Backbone, Block, TokenContext
from haystack_deformer.modeling.config import InputLayout
from haystack_deformer.modeling.masks import additive_mask


class EncoderBackbone(Backbone):
    """Absolute positions, restarting in the passage, and segments where the model has two, below the first layer."""

    fingerprint_fields: ClassVar[tuple[str, ...]] = (
        "hidden_size",
        "num_attention_heads",
        "intermediate_size",
        "hidden_act",
        "layer_norm_eps",
        "type_vocab_size",
    )

    @classmethod
    def check(cls, config: PretrainedConfig) -> None:
        """Refuse relative positions that the layers count for themselves, through both blocks."""
        super().check(config)
        kind = getattr(config, "position_embedding_type", "absolute")
        if kind != "absolute":
            msg = f"A {config.model_type} with position_embedding_type={kind!r} cannot be decomposed, only 'absolute'."
            raise ValueError(msg)

    @staticmethod
    def layout(tokenizer: PreTrainedTokenizerFast) -> InputLayout:
        """`[CLS] question [SEP]` and `passage [SEP]`."""
        return InputLayout(
            question_prefix=(tokenizer.cls_token_id,),
            question_suffix=(tokenizer.sep_token_id,),
            passage_prefix=(),
            passage_suffix=(tokenizer.sep_token_id,),
        )

    @property
    def base(self) -> Any:
        """Upstream's encoder, without the head."""
        return self.model.base_model

    @property
    def layers(self) -> nn.ModuleList:
        """The encoder's layers."""
        return self.base.encoder.layer

    @property
    def embeddings(self) -> nn.Module:
        """Words, positions, segments and their normalisation."""
        return self.base.embeddings

    @property
    def head(self) -> nn.Module:
        """One linear map to two logits."""
        return self.model.qa_outputs

    @property
    def max_block_length(self) -> int | None:
        """As many as there are position embeddings."""
        return int(self.model.config.max_position_embeddings)

    def embed(self, input_ids: Tensor, block: Block) -> Tensor:
        """Positions from 0 in both blocks; segment 0 for the question, 1 for the passage where the model has two."""
        segment = max(0, min(block.value, self.model.config.type_vocab_size - 1))
        return self.base.embeddings(input_ids=input_ids, token_type_ids=torch.full_like(input_ids, segment))

    def run_layers(self, states: Tensor, start: int, stop: int, context: TokenContext) -> Tensor:
        """Positions and segments are in the states already: only the mask is needed."""
        mask = additive_mask(context.attention, states.dtype)
        for layer in self.layers[start:stop]:
            states = first(layer(states, mask))
        return states

    def span_logits(self, states: Tensor, context: TokenContext) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """The two columns of `qa_outputs`."""
        start, end = self.model.qa_outputs(states).unbind(dim=-1)
        return start, end


def first(output: Any) -> Tensor:
    """
    The states of a layer's output, which is a tuple or the states alone, as the release of transformers has it.

    :param output: what the layer returned.
    """
    return output[0] if isinstance(output, tuple) else output
