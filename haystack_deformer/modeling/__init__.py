"""The decomposed transformer: torch and transformers, no Haystack."""

from haystack_deformer.modeling.backbones import BACKBONES, Backbone, Block, TokenContext, backbone_class
from haystack_deformer.modeling.config import DeFormerConfig, InputLayout
from haystack_deformer.modeling.deformer import DeFormerForQuestionAnswering
from haystack_deformer.modeling.outputs import IGNORE_INDEX, SpanLogits

__all__ = [
    "BACKBONES",
    "IGNORE_INDEX",
    "Backbone",
    "Block",
    "DeFormerConfig",
    "DeFormerForQuestionAnswering",
    "InputLayout",
    "SpanLogits",
    "TokenContext",
    "backbone_class",
]
