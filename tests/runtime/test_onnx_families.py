"""Graphs of every family give what PyTorch gives, at lengths that they were not traced with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from haystack_deformer.modeling import DeFormerConfig, DeFormerForQuestionAnswering
from haystack_deformer.runtime import TorchRuntime
from haystack_deformer.runtime.onnx_runtime import OnnxRuntime
from tests.modeling.backbones.families import FAMILIES, LAYERS, VOCABULARY, Family


@pytest.mark.parametrize("lower_layers", [0, LAYERS - 1])
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_onnx_equals_torch(family: Family, lower_layers: int, tmp_path: Path) -> None:
    model = DeFormerForQuestionAnswering(family.model(), DeFormerConfig(lower_layers)).eval()
    torch_runtime, onnx_runtime = TorchRuntime(model), OnnxRuntime(model, "float32", tmp_path)
    rng = np.random.default_rng(0)
    question, *windows = (rng.integers(7, VOCABULARY, size=length).tolist() for length in (5, 3, 23, 14, 40))
    expected, got = torch_runtime.encode_question(question), onnx_runtime.encode_question(question)
    np.testing.assert_allclose(got, expected, atol=1e-3)
    states = dict(torch_runtime.encode_passages(windows, 2))
    for number, array in onnx_runtime.encode_passages(windows, 2):
        np.testing.assert_allclose(array, states[number], atol=1e-3)
    ordered = [states[number] for number in range(len(windows))]
    for theirs, ours in zip(
        torch_runtime.read(expected, ordered, 2), onnx_runtime.read(expected, ordered, 2), strict=True
    ):
        for number, window in enumerate(windows):
            np.testing.assert_allclose(ours[number, : 1 + len(window)], theirs[number, : 1 + len(window)], atol=1e-3)
