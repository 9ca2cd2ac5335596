"""RoBERTa: BERT with positions behind the padding's and no segments."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from haystack_deformer.modeling.backbones.base import Block
from haystack_deformer.modeling.backbones.bert_layers import BertLayersBackbone
from haystack_deformer.modeling.config import InputLayout


class RobertaBackbone(BertLayersBackbone):
    """RoBERTa, XLM-RoBERTa, CamemBERT: `RobertaForQuestionAnswering` and the like."""

    model_types: ClassVar[tuple[str, ...]] = ("roberta", "xlm-roberta", "camembert")
    fingerprint_fields = (*BertLayersBackbone.fingerprint_fields, "pad_token_id")

    @staticmethod
    def layout(tokenizer: PreTrainedTokenizerFast) -> InputLayout:
        """`<s> question </s>` and `</s> passage </s>`: joined, the pair as the family was trained on it."""
        return InputLayout(
            question_prefix=(tokenizer.cls_token_id,),
            question_suffix=(tokenizer.sep_token_id,),
            passage_prefix=(tokenizer.sep_token_id,),
            passage_suffix=(tokenizer.sep_token_id,),
        )

    @property
    def max_block_length(self) -> int:
        """Fewer than there are position embeddings: those up to the padding's are never used."""
        return int(self.model.config.max_position_embeddings) - self._first_position

    def embed(self, input_ids: Tensor, block: Block) -> Tensor:  # noqa: ARG002  # blocks look alike
        """
        Positions count columns.

        Upstream would count the tokens that are not padding by their ids, and this package pads with another id.
        """
        positions = self._first_position + torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        return self.base.embeddings(input_ids=input_ids, position_ids=positions)

    @property
    def _first_position(self) -> int:
        return int(self.base.embeddings.padding_idx) + 1
