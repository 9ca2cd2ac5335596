"""Text to token windows to states."""

from haystack_deformer.passages.encoder import PassageEncoder
from haystack_deformer.passages.sharing import default_device, load_encoder
from haystack_deformer.passages.tokenization import (
    EmptyQuestionError,
    PassageTokenizer,
    TokenizedPassage,
    load_tokenizer,
)

__all__ = [
    "EmptyQuestionError",
    "PassageEncoder",
    "PassageTokenizer",
    "TokenizedPassage",
    "default_device",
    "load_encoder",
    "load_tokenizer",
]
