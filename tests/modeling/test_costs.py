"""The arithmetic of what a cut saves: the published figures, and what torch counts in the layers themselves."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig

from haystack_deformer.modeling import Block, TokenContext, backbone_class
from haystack_deformer.modeling.costs import compute_ratio, convolution_flops, layer_flops, reading_flops
from tests.modeling.backbones.families import FAMILIES, Family

BASE = BertConfig()
LARGE = BertConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)


@pytest.mark.parametrize(
    ("config", "lower_layers", "published"),
    [(BASE, 9, 3.23), (BASE, 10, 4.30), (LARGE, 20, 4.28), (LARGE, 21, 5.12)],
    ids=["base-9", "base-10", "large-20", "large-21"],
)
def test_published_figures(config: BertConfig, lower_layers: int, published: float) -> None:
    ratio = compute_ratio(config, lower_layers, question_length=27, passage_length=293)
    assert ratio == pytest.approx(published, abs=0.005)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_layers_cost_what_torch_counts(family: Family) -> None:
    backbone = backbone_class(family.config().model_type)(family.model())
    positions = torch.arange(24)[None]
    context = TokenContext(None, positions, torch.ones_like(positions))
    states = backbone.embed(torch.randint(7, 90, (1, 24)), Block.PASSAGE)
    # of a fused attention torch counts nothing on a CPU
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        backbone.run_layers(states, 0, 2, context)
    config = backbone.model.config
    expected = 2 * layer_flops(config, 24) + convolution_flops(config, 24)
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.001)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_trimmed_layers_cost_what_torch_counts(family: Family) -> None:
    """Families that say that they trim do so, and no other."""
    backbone = backbone_class(family.config().model_type)(family.model())
    positions = torch.arange(24)[None]
    context = TokenContext(None, positions, torch.ones_like(positions))
    states = backbone.embed(torch.randint(7, 90, (1, 24)), Block.PASSAGE)
    layers = len(backbone.layers)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        whole = backbone.span_logits(backbone.run_layers(states, layers - 1, layers, context), context)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as trimmed:
        logits = backbone.answer_logits(states, layers - 1, context, lambda values: values[:, 14:])
    for some, every in zip(logits, whole, strict=True):
        torch.testing.assert_close(some, every[:, 14:], atol=1e-5, rtol=0)
    config = backbone.model.config
    saved = layer_flops(config, 24) - layer_flops(config, 24, queries=10) if backbone.trims_last_layer else 0
    head = 14 * 2 * 2 * config.hidden_size if backbone.trims_last_layer else 0
    assert counter.get_total_flops() - trimmed.get_total_flops() == saved + head


def test_question_is_counted_once() -> None:
    lengths = {"question_length": 27, "passage_length": 293}
    one, ten = (reading_flops(BASE, 9, **lengths, passages=passages) for passages in (1, 10))
    assert ten - one == 9 * 3 * layer_flops(BASE, 320)
    assert compute_ratio(BASE, 9, **lengths, passages=10) > compute_ratio(BASE, 9, **lengths)


def test_no_cut_saves_nothing() -> None:
    assert compute_ratio(BASE, 0, question_length=27, passage_length=293) == 1
    assert reading_flops(BASE, 0, question_length=27, passage_length=293) == 12 * layer_flops(BASE, 320)
