"""Every runtime gives what the model gives, within what its precision loses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageEncoder, PassageTokenizer, load_tokenizer
from haystack_deformer.runtime import Runtime, check_runtime, load_runtime, onnx_export

QUESTION = [2, 10, 11, 12, 3]
WINDOWS = [[20, 21, 22, 3], [30, 31, 3], [9] * 39 + [3], [40, 3], [*range(20, 59), 3]]
EVERY = [("torch", "float32", 1e-5), ("onnx", "float32", 1e-3), ("torch", "bfloat16", 0.25), ("onnx", "int8", 0.3)]
"""Backend, dtype, and how far values may be from the model's, in standard deviations of them."""


def assert_near(values: np.ndarray, expected: np.ndarray | torch.Tensor, tolerance: float) -> None:
    expected = np.asarray(expected)
    assert values.shape == expected.shape
    assert np.abs(values - expected).max() <= tolerance * expected.std()


@pytest.fixture(scope="module", params=EVERY, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request: pytest.FixtureRequest, folder: Path, model: DeFormerForQuestionAnswering) -> tuple[Runtime, float]:
    backend, dtype, tolerance = request.param
    return load_runtime(model, folder, backend=backend, dtype=dtype), tolerance


class TestEveryRuntime:
    def test_question(self, case: tuple[Runtime, float], model: DeFormerForQuestionAnswering) -> None:
        runtime, tolerance = case
        with torch.inference_mode():
            expected = model.encode_question(torch.tensor([QUESTION]))[0].numpy()
        states = runtime.encode_question(QUESTION)
        assert states.dtype == np.float32
        assert_near(states, expected, tolerance)

    def test_passages(self, case: tuple[Runtime, float], model: DeFormerForQuestionAnswering) -> None:
        runtime, tolerance = case
        encoded = dict(runtime.encode_passages(WINDOWS, 2))
        assert sorted(encoded) == list(range(len(WINDOWS)))
        for number, window in enumerate(WINDOWS):
            with torch.inference_mode():
                expected = model.encode_passages(torch.tensor([window]))[0].numpy()
            assert encoded[number].dtype == np.float32
            assert_near(encoded[number], expected, tolerance)

    def test_read(self, case: tuple[Runtime, float], model: DeFormerForQuestionAnswering) -> None:
        runtime, tolerance = case
        with torch.inference_mode():
            question = model.encode_question(torch.tensor([QUESTION]))
            passages = [model.encode_passages(torch.tensor([window])) for window in WINDOWS]
            expected = [model.read(question, passage) for passage in passages]
        starts, ends = runtime.read(question[0].numpy(), [passage[0].numpy() for passage in passages], 2)
        assert starts.shape == ends.shape == (len(WINDOWS), 1 + 40)
        for number, logits in enumerate(expected):
            columns = 1 + len(WINDOWS[number])
            assert_near(starts[number, :columns], logits.start_logits[0], tolerance)
            assert_near(ends[number, :columns], logits.end_logits[0], tolerance)

    def test_one_window(self, case: tuple[Runtime, float]) -> None:
        runtime, tolerance = case
        question = runtime.encode_question(QUESTION)
        states = [states for _, states in sorted(runtime.encode_passages(WINDOWS, 2), key=lambda pair: pair[0])]
        starts, _ = runtime.read(question, states, 2)
        alone, _ = runtime.read(question, states[:1], 2)
        assert_near(alone[0], starts[0, : alone.shape[1]], tolerance)

    def test_threads_share_it(self, case: tuple[Runtime, float]) -> None:
        runtime, _ = case
        question = runtime.encode_question(QUESTION)
        states = [states for _, states in sorted(runtime.encode_passages(WINDOWS, 2), key=lambda pair: pair[0])]
        expected = runtime.read(question, states, 2)[0]
        with ThreadPoolExecutor(4) as pool:
            for starts, _ in pool.map(lambda _: runtime.read(question, states, 2), range(8)):
                for number, window in enumerate(WINDOWS):
                    columns = 1 + len(window)
                    np.testing.assert_allclose(starts[number, :columns], expected[number, :columns], atol=1e-5)


def test_lower_precision_is_another(folder: Path, model: DeFormerForQuestionAnswering) -> None:
    """Or an fp32 runtime could stand behind every name."""
    exact = load_runtime(model, folder).encode_question(QUESTION)
    for backend, dtype in (("torch", "bfloat16"), ("onnx", "int8")):
        assert (
            np.abs(load_runtime(model, folder, backend=backend, dtype=dtype).encode_question(QUESTION) - exact).max()
            > 1e-3
        )


@pytest.mark.parametrize(
    ("backend", "dtype", "message"),
    [
        ("openvino", "float32", "backend='openvino' is not known: give one of torch, onnx"),
        (
            "torch",
            "int8",
            "dtype='int8' is not to be had from backend='torch': 'torch' has float32, bfloat16 and 'onnx'",
        ),
        ("onnx", "bfloat16", "dtype='bfloat16' is not to be had from backend='onnx'"),
        ("torch", "fp32", "dtype='fp32' is not to be had"),
    ],
)
def test_what_there_is_not(backend: str, dtype: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_runtime(backend, dtype)


class TestFingerprint:
    def encoder(self, folder: Path, backend: str, dtype: str) -> PassageEncoder:
        model = DeFormerForQuestionAnswering.from_pretrained(folder)
        passages = PassageTokenizer(load_tokenizer(folder), model.deformer_config, model.backbone)
        return PassageEncoder(model, passages, str(folder), backend=backend, dtype=dtype)

    def test_states_of_lower_precision_are_other_states(self, folder: Path) -> None:
        dtypes = [("torch", "float32"), ("torch", "bfloat16"), ("onnx", "int8")]
        assert len({self.encoder(folder, *names).fingerprint for names in dtypes}) == 3

    def test_int8_on_a_processor_that_needs_smaller_weights_is_another(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prints = set()
        for vnni in (True, False):
            monkeypatch.setattr(onnx_export, "has_vnni", lambda vnni=vnni: vnni)
            prints.add(self.encoder(folder, "onnx", "int8").fingerprint)
        assert len(prints) == 2

    def test_states_of_two_backends_in_fp32_are_the_same(self, folder: Path) -> None:
        one, other = self.encoder(folder, "torch", "float32"), self.encoder(folder, "onnx", "float32")
        assert one.fingerprint == other.fingerprint
        for ours, theirs in zip(one.encode(["paris is"]), other.encode(["paris is"]), strict=True):
            np.testing.assert_allclose(ours.states, theirs.states, atol=1e-3)
