"""ELECTRA: BERT with narrower embeddings."""

from __future__ import annotations

from torch import Tensor, nn

from haystack_deformer.modeling.backbones.base import Block
from haystack_deformer.modeling.backbones.bert_layers import BertLayersBackbone


class ElectraBackbone(BertLayersBackbone):
    """ELECTRA's discriminator: `ElectraForQuestionAnswering`."""

    model_types = ("electra",)

    @property
    def embeddings(self) -> nn.Module:
        """Those of BERT, and the map to the layers' width where it is another."""
        projection = getattr(self.base, "embeddings_project", None)
        return nn.ModuleList([self.base.embeddings] if projection is None else [self.base.embeddings, projection])

    def embed(self, input_ids: Tensor, block: Block) -> Tensor:
        """As BERT, then as wide as the layers."""
        states = super().embed(input_ids, block)
        projection = getattr(self.base, "embeddings_project", None)
        return states if projection is None else projection(states)
