"""Attention by products: what the fused one gives, and gradients with it."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from haystack_deformer.modeling import DeFormerConfig, DeFormerForQuestionAnswering
from haystack_deformer.training.matmul_attention import MatmulAttention
from tests.modeling.backbones.families import FAMILIES, VOCABULARY, Family


@pytest.fixture
def heads() -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 3, 7, 8).to(torch.bfloat16).requires_grad_() for _ in range(3)]


def _masks() -> dict[str, Tensor | None]:
    present = torch.ones(2, 1, 1, 7, dtype=torch.bool)
    present[1, ..., 5:] = False
    added = torch.zeros(2, 1, 1, 7).masked_fill(~present, torch.finfo(torch.bfloat16).min)
    return {"none": None, "bool": present, "added": added.to(torch.bfloat16)}


def _gradients(output: Tensor, heads: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad((output.float() ** 2).sum(), heads)


class TestMatmulAttention:
    @pytest.mark.parametrize("scale", [None, 0.5])
    @pytest.mark.parametrize("mask", ["none", "bool", "added"])
    def test_is_the_fused_one(self, heads: list[Tensor], mask: str, scale: float | None) -> None:
        expected = F.scaled_dot_product_attention(*heads, attn_mask=_masks()[mask], scale=scale)
        with MatmulAttention():
            output = F.scaled_dot_product_attention(*heads, attn_mask=_masks()[mask], scale=scale)
        assert output.dtype == expected.dtype
        torch.testing.assert_close(output, expected, atol=0.02, rtol=0.02)
        for ours, theirs in zip(_gradients(output, heads), _gradients(expected, heads), strict=True):
            torch.testing.assert_close(ours, theirs, atol=0.05, rtol=0.05)

    def test_runs_products_where_gradients_are_asked_for_in_bfloat16(self, heads: list[Tensor]) -> None:
        with MatmulAttention():
            output = F.scaled_dot_product_attention(*heads)
            with torch.no_grad():
                without_gradients = F.scaled_dot_product_attention(*heads)
            exact = F.scaled_dot_product_attention(*(values.float() for values in heads))
        assert "Attention" not in output.grad_fn.name()
        assert without_gradients.equal(F.scaled_dot_product_attention(*heads))
        assert "Attention" in exact.grad_fn.name()

    def test_autocast_keeps_the_weights_in_bfloat16(self, heads: list[Tensor]) -> None:
        with MatmulAttention(), torch.autocast("cpu", torch.bfloat16):
            output = F.scaled_dot_product_attention(*heads)
        assert output.dtype == torch.bfloat16
        assert all(values.dtype == torch.bfloat16 for values in _gradients(output, heads))

    def test_drops_weights(self, heads: list[Tensor]) -> None:
        with MatmulAttention():
            torch.manual_seed(1)
            dropped = [F.scaled_dot_product_attention(*heads, dropout_p=0.5) for _ in range(2)]
            kept = F.scaled_dot_product_attention(*heads, dropout_p=0.0)
        assert not dropped[0].equal(dropped[1])
        assert not dropped[0].equal(kept)

    def test_causal_attention_is_left_alone(self, heads: list[Tensor]) -> None:
        expected = F.scaled_dot_product_attention(*heads, is_causal=True)
        with MatmulAttention():
            output = F.scaled_dot_product_attention(*heads, is_causal=True)
        assert output.equal(expected)


def test_a_row_that_sees_nothing_is_no_nan(heads: list[Tensor]) -> None:
    """Such is padding in layers that look at their neighbourhood alone, with the mask of states in fp32."""
    mask = torch.full((2, 1, 7, 7), torch.finfo(torch.float32).min)
    mask[:, :, :5, :5] = 0
    with MatmulAttention():
        output = F.scaled_dot_product_attention(*heads, attn_mask=mask)
    assert torch.isfinite(output).all()
    assert all(torch.isfinite(values).all() for values in _gradients(output, heads))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_every_family_learns_in_bfloat16(family: Family) -> None:
    """The losses with it and without, of windows so unlike in length that padding is far from all that is there."""
    # without dropout
    model = DeFormerForQuestionAnswering(family.model(), DeFormerConfig(1, 60, 16, max_question_length=14)).eval()
    torch.manual_seed(0)
    passage_mask = torch.ones(2, 40, dtype=torch.int64)
    passage_mask[1, 6:] = 0
    batch = {
        "question_ids": torch.randint(5, VOCABULARY, (2, 6)),
        "question_mask": torch.ones(2, 6, dtype=torch.int64),
        "passage_ids": torch.randint(5, VOCABULARY, (2, 40)),
        "passage_mask": passage_mask,
        "passage_index": torch.arange(2),
        "start_positions": torch.tensor([3, 2]),
        "end_positions": torch.tensor([4, 2]),
    }
    losses = []
    for mode in (nullcontext(), MatmulAttention()):
        model.zero_grad()
        with mode, torch.autocast("cpu", torch.bfloat16):
            loss = model(**batch).loss
        loss.backward()
        losses.append(loss.detach())
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    torch.testing.assert_close(losses[0], losses[1], rtol=0.05, atol=0.05)
