"""BERT: absolute positions and two segments, added once below the first layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedTokenizerFast

from haystack_deformer.modeling.backbones.base import Backbone, Block, TokenContext
from haystack_deformer.modeling.config import InputLayout


class BertBackbone(Backbone):
    """BERT and what is built like it (MiniLM, TinyBERT): `BertForQuestionAnswering`."""

    model_types = ("bert",)
    fingerprint_fields = (
        "hidden_size",
        "num_attention_heads",
        "intermediate_size",
        "hidden_act",
        "layer_norm_eps",
        "type_vocab_size",
    )

    @classmethod
    def check(cls, config: PretrainedConfig) -> None:
        """Refuse BERT with relative positions, which its layers count for themselves, through both blocks."""
        super().check(config)
        kind = getattr(config, "position_embedding_type", "absolute")
        if kind != "absolute":
            msg = f"BERT with position_embedding_type={kind!r} cannot be decomposed: it must be 'absolute'."
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
    def layers(self) -> nn.ModuleList:
        """The encoder's layers."""
        return self.model.bert.encoder.layer

    @property
    def embeddings(self) -> nn.Module:
        """Words, positions, segments and their normalisation."""
        return self.model.bert.embeddings

    @property
    def head(self) -> nn.Module:
        """One linear map to two logits."""
        return self.model.qa_outputs

    @property
    def max_block_length(self) -> int:
        """As many as there are position embeddings."""
        return int(self.model.config.max_position_embeddings)

    def embed(self, input_ids: Tensor, block: Block) -> Tensor:
        """Positions from 0 in both blocks; segment 0 for the question, 1 for the passage where the model has two."""
        segment = min(block.value, self.model.config.type_vocab_size - 1)
        return self.embeddings(input_ids=input_ids, token_type_ids=torch.full_like(input_ids, segment))

    def run_layers(self, states: Tensor, start: int, stop: int, context: TokenContext) -> Tensor:
        """Positions and segments are in the states already: only the mask is needed."""
        mask = None
        if context.attention is not None:
            mask = torch.zeros_like(context.attention, dtype=states.dtype)
            mask.masked_fill_(~context.attention, torch.finfo(states.dtype).min)
        for layer in self.layers[start:stop]:
            output = layer(states, attention_mask=mask)
            states = output[0] if isinstance(output, tuple) else output
        return states

    def span_logits(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """The two columns of `qa_outputs`."""
        start, end = self.head(states).unbind(dim=-1)
        return start, end
