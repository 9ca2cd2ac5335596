"""BERT: absolute positions and two segments, added once below the first layer."""

from __future__ import annotations

from haystack_deformer.modeling.backbones.bert_layers import BertLayersBackbone


class BertBackbone(BertLayersBackbone):
    """BERT and what is built like it (MiniLM, TinyBERT): `BertForQuestionAnswering`."""

    model_types = ("bert",)
