"""DistilBERT: BERT with half the layers and no segments."""

from __future__ import annotations

from torch import Tensor, nn
from transformers import PreTrainedModel

from haystack_deformer.modeling.backbones.base import Block, TokenContext
from haystack_deformer.modeling.backbones.encoder import EncoderBackbone


class DistilBertBackbone(EncoderBackbone):
    """DistilBERT: `DistilBertForQuestionAnswering`."""

    model_types = ("distilbert",)
    fingerprint_fields = ("dim", "n_heads", "hidden_dim", "activation")
    attention_dropout_field = "attention_dropout"
    hidden_dropout_fields = ("dropout", "qa_dropout")
    intermediate_size_field = "hidden_dim"
    attention_implementation = "sdpa"

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__(model)
        # a config without a model calls itself eager, so that this is no matter for `check`
        if getattr(model.config, "_attn_implementation", None) == "eager":
            msg = (
                "A distilbert with attn_implementation='eager' cannot be decomposed, for that takes one mask for all "
                "tokens: load it with attn_implementation='sdpa'."
            )
            raise ValueError(msg)

    @property
    def layers(self) -> nn.ModuleList:
        """The transformer's layers."""
        return self.base.transformer.layer

    def embed(self, input_ids: Tensor, block: Block) -> Tensor:  # noqa: ARG002  # blocks look alike
        """Positions from 0 in both blocks."""
        return self.base.embeddings(input_ids)

    def span_logits(self, states: Tensor, context: TokenContext) -> tuple[Tensor, Tensor]:
        """With a dropout of its own below the head, in training."""
        return super().span_logits(self.model.dropout(states), context)
