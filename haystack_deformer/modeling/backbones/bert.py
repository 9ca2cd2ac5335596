"""BERT: absolute positions and two segments, added once below the first layer."""

from __future__ import annotations

from haystack_deformer.modeling.backbones.encoder import EncoderBackbone


class BertBackbone(EncoderBackbone):
    """BERT and what is built like it (MiniLM, TinyBERT): `BertForQuestionAnswering`."""

    model_types = ("bert",)
