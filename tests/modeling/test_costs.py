"""The arithmetic of what a cut saves: the published figures, and what torch counts in the layers themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig

from haystack_deformer.modeling import Block, TokenContext, backbone_class
from haystack_deformer.modeling.backbones import Backbone
from haystack_deformer.modeling.costs import compute_ratio, layer_flops, reading_flops
from tests.modeling.backbones.families import FAMILIES, Family

attention = pytest.importorskip("torch.nn.attention", reason="of torch 2.2")

T = TypeVar("T")
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


def embedded(family: Family) -> tuple[Backbone, Tensor, TokenContext]:
    """A model of the family, 24 tokens of a passage as they enter its first layer, and what layers know of them."""
    backbone = backbone_class(family.config().model_type)(family.model())
    positions = torch.arange(24)[None]
    context = TokenContext(None, positions, torch.ones_like(positions))
    return backbone, backbone.embed(torch.randint(7, 90, (1, 24)), Block.PASSAGE), context


def counted(work: Callable[[], T]) -> tuple[int, T]:
    """Operations that torch counts, and what was made of them."""
    # of a fused attention torch counts nothing on a CPU
    with attention.sdpa_kernel(attention.SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        result = work()
    return counter.get_total_flops(), result


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_layers_cost_what_torch_counts(family: Family) -> None:
    backbone, states, context = embedded(family)
    flops, _ = counted(lambda: backbone.run_layers(states, 0, 2, context))
    config = backbone.model.config
    expected = 2 * layer_flops(config, 24) + backbone.convolution_flops(config, 24)
    assert flops == pytest.approx(expected, rel=0.001)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_trimmed_layers_cost_what_torch_counts(family: Family) -> None:
    """Families that say that they trim do so, and no other."""
    backbone, states, context = embedded(family)
    layers = len(backbone.layers)
    flops, whole = counted(
        lambda: backbone.span_logits(backbone.run_layers(states, layers - 1, layers, context), context)
    )
    trimmed, logits = counted(
        lambda: backbone.answer_logits(states, layers - 1, context, lambda values: values[:, 14:])
    )
    for some, every in zip(logits, whole, strict=True):
        torch.testing.assert_close(some, every[:, 14:], atol=1e-5, rtol=0)
    config = backbone.model.config
    saved = layer_flops(config, 24) - layer_flops(config, 24, queries=10) if backbone.trims_last_layer else 0
    head = 14 * 2 * 2 * config.hidden_size if backbone.trims_last_layer else 0
    assert flops - trimmed == saved + head


def test_question_is_counted_once() -> None:
    lengths = {"question_length": 27, "passage_length": 293}
    one, ten = (reading_flops(BASE, 9, **lengths, passages=passages) for passages in (1, 10))
    assert ten - one == 9 * 3 * layer_flops(BASE, 320)
    assert compute_ratio(BASE, 9, **lengths, passages=10) > compute_ratio(BASE, 9, **lengths)


def test_no_cut_saves_nothing() -> None:
    assert compute_ratio(BASE, 0, question_length=27, passage_length=293) == 1
    assert reading_flops(BASE, 0, question_length=27, passage_length=293) == 12 * layer_flops(BASE, 320)
