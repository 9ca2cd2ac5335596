"""The decomposed transformer: torch and transformers, no Haystack."""

from haystack_deformer.modeling.backbones import BACKBONES, Backbone, Block, TokenContext, backbone_class
from haystack_deformer.modeling.config import DeFormerConfig, InputLayout
from haystack_deformer.modeling.deformer import DeFormerForQuestionAnswering

__all__ = [
    "BACKBONES",
    "Backbone",
    "Block",
    "DeFormerConfig",
    "DeFormerForQuestionAnswering",
    "InputLayout",
    "TokenContext",
    "backbone_class",
]
