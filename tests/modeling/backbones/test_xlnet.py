"""XLNet's two heads, and what of it can be decomposed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import XLNetConfig, XLNetForQuestionAnswering

from haystack_deformer.modeling import Block, DeFormerConfig, DeFormerForQuestionAnswering, backbone_class
from tests.modeling.backbones.families import FAMILIES, VOCABULARY, xlnet_segments

QUESTION, PASSAGE = torch.randint(7, VOCABULARY, (2, 9)), torch.randint(7, VOCABULARY, (2, 20))


@torch.inference_mode()
def test_beam_of_one() -> None:
    upstream = FAMILIES["xlnet-beam"].model()
    upstream.start_n_top, upstream.end_n_top = 1, PASSAGE.shape[1] - 1
    # upstream looks for starts and ends among the passage's tokens, its <sep> excepted
    allowed = torch.arange(29) < PASSAGE.shape[1] - 1
    expected = upstream(
        torch.cat([PASSAGE, QUESTION], dim=1),
        token_type_ids=xlnet_segments(QUESTION, PASSAGE),
        p_mask=(~allowed).float().expand(2, -1),
    )
    output = DeFormerForQuestionAnswering(upstream, DeFormerConfig(0))(QUESTION, PASSAGE)
    start, end = (logits[:, 1:-1].softmax(dim=1) for logits in (output.start_logits, output.end_logits))
    torch.testing.assert_close(start.max(dim=1, keepdim=True).values, expected.start_top_log_probs)
    assert torch.equal(start.argmax(dim=1, keepdim=True), expected.start_top_index)
    torch.testing.assert_close(end.sort(dim=1, descending=True).values, expected.end_top_log_probs)
    assert torch.equal(end.argsort(dim=1, descending=True), expected.end_top_index)


@pytest.mark.parametrize("values", [{"attn_type": "uni"}, {"bi_data": True}], ids=lambda values: next(iter(values)))
def test_variants_that_cannot_be_decomposed(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        backbone_class("xlnet").check(XLNetConfig(**values))


def test_checkpoint_says_which_head_it_has(tmp_path: Path) -> None:
    FAMILIES["xlnet-beam"].model().save_pretrained(tmp_path)
    model = DeFormerForQuestionAnswering.from_pretrained(tmp_path, 1)
    assert type(model.model) is XLNetForQuestionAnswering


def test_attention_dropout_is_no_field_of_its_own(tmp_path: Path) -> None:
    FAMILIES["xlnet"].model().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"attention_dropout=0\.0 cannot be set.*'xlnet'"):
        DeFormerForQuestionAnswering.from_pretrained(tmp_path, 1, attention_dropout=0.0)


def test_head_counts_its_weights() -> None:
    backbone = backbone_class("xlnet")(FAMILIES["xlnet-beam"].model())
    assert {id(parameter) for parameter in backbone.head.parameters()} == {
        id(parameter)
        for module in (backbone.model.start_logits, backbone.model.end_logits)
        for parameter in module.parameters()
    }
    assert backbone.embed(QUESTION, Block.QUESTION).shape == (2, 9, 32)
