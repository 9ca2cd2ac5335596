"""A packed copy computes what the model computes, with the model's own weights, and leaves it as it was."""

from __future__ import annotations

import platform

import pytest
import torch
from torch import nn

from haystack_deformer.modeling import DeFormerConfig, DeFormerForQuestionAnswering
from haystack_deformer.runtime.prepacking import PrepackedLinear, prepack
from tests.modeling.backbones.families import FAMILIES, VOCABULARY, Family

needs_prepacking = pytest.mark.skipif(
    platform.machine().lower() not in {"x86_64", "amd64"} or not torch.backends.mkldnn.is_available(),
    reason="this processor's products are not packed",
)


def model_of(family: Family) -> DeFormerForQuestionAnswering:
    return DeFormerForQuestionAnswering(family.model(), DeFormerConfig(1)).eval()


@needs_prepacking
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_computes_the_same(family: Family) -> None:
    model = model_of(family)
    before = [type(module) for module in model.modules()]
    packed = prepack(model)
    question, passage = (torch.randint(7, VOCABULARY, (2, length)) for length in (5, 13))
    mask = torch.ones((2, 13))
    mask[1, 9:] = 0
    with torch.inference_mode():
        expected, got = model(question, passage, None, mask), packed(question, passage, None, mask)
    torch.testing.assert_close(got.start_logits, expected.start_logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got.end_logits, expected.end_logits, rtol=1e-4, atol=1e-5)
    assert [type(module) for module in model.modules()] == before
    assert any(isinstance(module, PrepackedLinear) for module in packed.modules())
    theirs = {name: parameter.data_ptr() for name, parameter in model.named_parameters()}
    assert {name: parameter.data_ptr() for name, parameter in packed.named_parameters()} == theirs


@needs_prepacking
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 7)])
def test_a_layer_by_itself(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    for bias in (True, False):
        linear = nn.Linear(7, 5, bias=bias).to(dtype)
        values = torch.randn(shape).to(dtype)
        with torch.inference_mode():
            torch.testing.assert_close(PrepackedLinear.of(linear)(values), linear(values), rtol=1e-2, atol=1e-2)


@needs_prepacking
def test_layers_that_somebody_looks_into_stay() -> None:
    model = model_of(FAMILIES["bert"])
    watched = model.backbone.layers[-1].output.dense
    watched.register_forward_hook(lambda *_: None)
    kept = [module for module in prepack(model).modules() if type(module) is nn.Linear]
    assert len(kept) == 1


@pytest.mark.parametrize("missing", ["processor", "library", "operator"])
def test_where_there_is_no_prepacking_the_model_runs_as_it_is(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: nn.Linear) -> PrepackedLinear:
        message = "not available"
        raise RuntimeError(message)

    if missing == "processor":
        monkeypatch.setattr(platform, "machine", lambda: "arm64")
    elif missing == "library":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    else:
        monkeypatch.setattr(platform, "machine", lambda: "x86_64")
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
        monkeypatch.setattr(PrepackedLinear, "of", refuse)
    model = model_of(FAMILIES["bert"])
    assert prepack(model) is model
