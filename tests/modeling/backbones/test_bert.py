"""BERT and what of it can be decomposed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForQuestionAnswering, BertConfig, BertForQuestionAnswering, BertTokenizerFast

from haystack_deformer.modeling import Block, DeFormerForQuestionAnswering, TokenContext
from haystack_deformer.modeling.backbones.bert import BertBackbone


@pytest.fixture
def backbone(tiny_bert: Path) -> BertBackbone:
    return BertBackbone(AutoModelForQuestionAnswering.from_pretrained(tiny_bert).eval())


def test_layout(tiny_tokenizer: BertTokenizerFast) -> None:
    layout = BertBackbone.layout(tiny_tokenizer)
    cls, sep = tiny_tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]"])
    assert layout.question([9]) == [cls, 9, sep]
    assert layout.passage([9]) == [9, sep]


def test_parts_are_the_upstream_modules(backbone: BertBackbone) -> None:
    assert backbone.layers is backbone.model.bert.encoder.layer
    assert backbone.embeddings is backbone.model.bert.embeddings
    assert backbone.head is backbone.model.qa_outputs
    assert (backbone.hidden_size, backbone.max_block_length) == (32, 512)


@torch.inference_mode()
def test_layers_run_one_by_one_as_all_at_once(backbone: BertBackbone) -> None:
    states = backbone.embed(torch.tensor([[9, 10, 11, 12]]), Block.PASSAGE)
    context = TokenContext(None, torch.arange(4)[None], torch.ones((1, 4), dtype=torch.int64))
    whole = backbone.run_layers(states, 0, 4, context)
    for number in range(4):
        states = backbone.run_layers(states, number, number + 1, context)
    torch.testing.assert_close(states, whole)
    assert torch.equal(backbone.run_layers(states, 2, 2, context), states)


@torch.inference_mode()
def test_masked_tokens_are_not_attended_to(backbone: BertBackbone) -> None:
    states = backbone.embed(torch.tensor([[9, 10, 11, 12], [9, 10, 30, 31]]), Block.PASSAGE)
    mask = torch.tensor([True, True, False, False])[None, None, None].expand(2, -1, -1, -1)
    context = TokenContext(mask, torch.arange(4)[None], torch.ones((1, 4), dtype=torch.int64))
    one, other = backbone.run_layers(states, 0, 4, context)
    torch.testing.assert_close(one[:2], other[:2])
    free = backbone.run_layers(states, 0, 4, TokenContext(None, context.positions, context.segments))
    assert (free[0, :2] - free[1, :2]).abs().max() > 0.01


@torch.inference_mode()
def test_lower_modules_are_all_that_states_depend_on(backbone: BertBackbone) -> None:
    """Spoil every weight that is not listed: the states at the cut stay."""
    ids = torch.tensor([[9, 10, 11, 12]])
    context = TokenContext(None, torch.arange(4)[None], torch.ones((1, 4), dtype=torch.int64))
    before = backbone.run_layers(backbone.embed(ids, Block.PASSAGE), 0, 2, context)
    listed = {id(p) for _, module in backbone.lower_modules(2) for p in module.parameters()}
    for parameter in backbone.model.parameters():
        if id(parameter) not in listed:
            parameter.fill_(float("nan"))
    assert torch.equal(backbone.run_layers(backbone.embed(ids, Block.PASSAGE), 0, 2, context), before)


@torch.inference_mode()
def test_one_segment_serves_both_blocks(make_tiny_bert: Any) -> None:
    model = DeFormerForQuestionAnswering.from_pretrained(make_tiny_bert(layers=1, type_vocab_size=1), 0)
    ids = torch.tensor([[9, 10, 11]])
    assert torch.equal(model.encode_question(ids), model.encode_passages(ids))


@pytest.mark.parametrize(
    "values", [{"position_embedding_type": "relative_key"}, {"is_decoder": True}], ids=lambda v: next(iter(v))
)
def test_variants_that_cannot_be_decomposed(values: dict[str, Any]) -> None:
    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, **values)
    with pytest.raises(ValueError, match=next(iter(values))):
        BertBackbone(BertForQuestionAnswering(config))
