"""Small windows over the tiny tokenizer, and the text put together again from them."""

from __future__ import annotations

import numpy as np
from transformers import BertTokenizerFast

from haystack_deformer.modeling import DeFormerConfig
from haystack_deformer.modeling.backbones.bert import BertBackbone
from haystack_deformer.passages import PassageTokenizer, TokenizedPassage

ROOM = 10
STRIDE = 4


def make(tokenizer: BertTokenizerFast, room: int = ROOM, stride: int = STRIDE, question: int = 6) -> PassageTokenizer:
    """Windows of `room` tokens of text."""
    config = DeFormerConfig(1, max_seq_len=question + 2 + room + 1, doc_stride=stride, max_question_length=question)
    return PassageTokenizer(tokenizer, config, BertBackbone)


def tokens_of(tokenizer: BertTokenizerFast, text: str) -> list[int]:
    """The whole text's tokens, without windows."""
    return tokenizer.encode(text.encode("utf-8", "replace").decode(), add_special_tokens=False)


def unwind(passage: TokenizedPassage, stride: int = STRIDE) -> tuple[list[int], np.ndarray]:
    """The whole text's tokens and offsets, put together again from its windows without their [SEP]."""
    ids: list[int] = []
    offsets: list[np.ndarray] = []
    for number, (window, places) in enumerate(zip(passage.window_ids, passage.window_offsets, strict=True)):
        overlap = len(ids) - number * stride
        assert ids[len(ids) - overlap :] == window[:overlap]
        ids += window[overlap:-1]
        offsets.append(places[overlap:-1])
    return ids, np.concatenate(offsets) if offsets else np.zeros((0, 2), dtype=np.uint32)
