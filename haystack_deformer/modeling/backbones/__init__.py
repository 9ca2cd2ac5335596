"""One small file for each family of transformers."""

from __future__ import annotations

from haystack_deformer.modeling.backbones.albert import AlbertBackbone
from haystack_deformer.modeling.backbones.base import Backbone, Block, TokenContext
from haystack_deformer.modeling.backbones.bert import BertBackbone
from haystack_deformer.modeling.backbones.deberta import DebertaBackbone
from haystack_deformer.modeling.backbones.distilbert import DistilBertBackbone
from haystack_deformer.modeling.backbones.electra import ElectraBackbone
from haystack_deformer.modeling.backbones.modernbert import ModernBertBackbone
from haystack_deformer.modeling.backbones.mpnet import MPNetBackbone
from haystack_deformer.modeling.backbones.roberta import RobertaBackbone
from haystack_deformer.modeling.backbones.xlnet import XLNetBackbone

_FAMILIES: tuple[type[Backbone], ...] = (
    AlbertBackbone,
    BertBackbone,
    DebertaBackbone,
    DistilBertBackbone,
    ElectraBackbone,
    ModernBertBackbone,
    MPNetBackbone,
    RobertaBackbone,
    XLNetBackbone,
)
BACKBONES: dict[str, type[Backbone]] = {name: family for family in _FAMILIES for name in family.model_types}


def backbone_class(model_type: str) -> type[Backbone]:
    """
    The class that drives a family.

    :param model_type: `config.model_type` of a checkpoint.
    :raises ValueError: for a family that is not known here; names the known ones.
    """
    if model_type not in BACKBONES:
        msg = (
            f"Models of type {model_type!r} cannot be decomposed yet. Known types: {', '.join(sorted(BACKBONES))}. "
            "docs/adding-a-family.md in the repository says how to add one."
        )
        raise ValueError(msg)
    return BACKBONES[model_type]


__all__ = ["BACKBONES", "Backbone", "Block", "TokenContext", "backbone_class"]
