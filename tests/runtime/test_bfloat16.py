"""bfloat16 is of matrix products: every family runs, and nothing but its weights is rounded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from haystack_deformer.modeling import DeFormerConfig, DeFormerForQuestionAnswering
from haystack_deformer.runtime import TorchRuntime
from tests.modeling.backbones.families import FAMILIES, VOCABULARY, Family


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_buffers_stay_as_they_are(family: Family) -> None:
    model = DeFormerForQuestionAnswering(family.model(), DeFormerConfig(1)).eval()
    runtime, exact = TorchRuntime(model, "bfloat16"), TorchRuntime(model)
    question, window = np.random.default_rng(0).integers(7, VOCABULARY, size=(2, 12)).tolist()
    [(_, states)] = exact.encode_passages([window], 1)
    asked = exact.encode_question(question)
    np.testing.assert_allclose(runtime.encode_question(question), asked, atol=0.1)
    for rounded, logits in zip(runtime.read(asked, [states], 1), exact.read(asked, [states], 1), strict=True):
        np.testing.assert_allclose(rounded, logits, atol=0.1)
    buffers = dict(model.named_buffers())
    assert {p.dtype for p in runtime._model.parameters()} == {torch.bfloat16}
    for name, buffer in runtime._model.named_buffers():
        assert torch.equal(buffer, buffers[name]), name
