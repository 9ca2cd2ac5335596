"""Graphs are made once, found again where they lie, and replaced where they cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.runtime import load_runtime, loading, onnx_export
from haystack_deformer.runtime.onnx_export import graph_file, graph_folder_name, scratch_beside
from haystack_deformer.runtime.onnx_runtime import OnnxRuntime

QUESTION = [2, 10, 11, 12, 3]


class TestGraphs:
    def test_are_made_once_and_lie_beside_the_weights(self, folder: Path, model: DeFormerForQuestionAnswering) -> None:
        load_runtime(model, folder, backend="onnx").encode_question(QUESTION)
        (graph,) = (folder / "onnx").glob("*/question-float32.onnx")
        made = graph.stat().st_mtime_ns
        load_runtime(model, folder, backend="onnx").encode_question(QUESTION)
        assert graph.stat().st_mtime_ns == made
        # of a making that was stopped, nothing is left that could be taken for a graph
        assert {path.suffix for path in graph.parent.iterdir()} == {".onnx"}

    def test_that_are_damaged_are_made_again(
        self, folder: Path, model: DeFormerForQuestionAnswering, caplog: pytest.LogCaptureFixture
    ) -> None:
        expected = load_runtime(model, folder, backend="onnx").encode_question(QUESTION)
        (graph,) = (folder / "onnx").glob("*/question-float32.onnx")
        graph.write_bytes(b"")
        np.testing.assert_array_equal(load_runtime(model, folder, backend="onnx").encode_question(QUESTION), expected)
        assert "is made again" in caplog.text

    def test_of_other_weights_are_others(self, folder: Path, tmp_path: Path) -> None:
        files = []
        for change in ("none", "upper", "config", "cut"):
            model = DeFormerForQuestionAnswering.from_pretrained(folder, 1 if change == "cut" else None)
            if change == "upper":
                model.backbone.head.bias.data += 1
            if change == "config":
                model.config.num_hidden_layers += 1
            files.append(graph_file(model, "read", "float32", tmp_path / graph_folder_name(model)))
        assert len(set(files)) == 4

    def test_that_need_more_than_one_file_are_refused(
        self, model: DeFormerForQuestionAnswering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def export(*arguments: object) -> None:
            path = Path(str(arguments[-1]))
            for file in (path, path.with_name("encoder.layer.0.weight")):
                file.touch()

        monkeypatch.setattr(onnx_export, "export", export)
        with pytest.raises(ValueError, match=r"The read graph has more than the 2 GiB.*backend='torch'"):
            graph_file(model, "read", "float32", tmp_path)
        assert not list(tmp_path.rglob("*.onnx"))

    def test_go_to_the_users_cache_where_the_folder_is_none(
        self, model: DeFormerForQuestionAnswering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        load_runtime(model, "some/model-of-the-hub", backend="onnx").encode_question(QUESTION)
        assert list((tmp_path / "haystack-deformer" / "onnx").glob("*/question-float32.onnx"))

    def test_beside_weights_that_cannot_be_written_are_used(
        self, folder: Path, model: DeFormerForQuestionAnswering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As in an image that made them when it was built."""
        expected = load_runtime(model, folder, backend="onnx").encode_question(QUESTION)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        # root, which tests may run as, can write everywhere
        monkeypatch.setattr(loading.os, "access", lambda *_: False)
        runtime = load_runtime(model, folder, backend="onnx")
        np.testing.assert_array_equal(runtime.encode_question(QUESTION), expected)
        assert not list(tmp_path.rglob("*.onnx"))
        # what is missing there is made in the cache
        list(runtime.encode_passages([QUESTION], 1))
        assert [path.name for path in tmp_path.rglob("*.onnx")] == ["passage-float32.onnx"]

    def test_beside_weights_that_cannot_be_written_may_be_damaged(
        self, folder: Path, model: DeFormerForQuestionAnswering, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        damaged = tmp_path / "before" / graph_folder_name(model) / "question-float32.onnx"
        damaged.parent.mkdir(parents=True)
        damaged.write_bytes(b"")
        made = OnnxRuntime(model, "float32", tmp_path / "cache", tmp_path / "before").encode_question(QUESTION)
        np.testing.assert_array_equal(made, load_runtime(model, folder, backend="onnx").encode_question(QUESTION))
        assert f"another is made in {tmp_path / 'cache'}" in caplog.text
        assert damaged.exists()

    def test_leave_the_model_in_evaluation(self, model: DeFormerForQuestionAnswering, tmp_path: Path) -> None:
        graph_file(model, "read", "float32", tmp_path)
        assert not any(module.training for module in model.modules())


def test_what_a_killed_export_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "graphs" / "read.onnx"
    with scratch_beside(path) as forsaken:
        (forsaken / "graph.onnx").touch()
        os.utime(forsaken, (0, 0))
        with scratch_beside(path) as own, scratch_beside(path):
            assert not forsaken.exists()
            # another process may be at it
            assert own.exists()
    assert not list(path.parent.iterdir())


def test_onnx_on_another_device_is_refused(folder: Path) -> None:
    with pytest.raises(
        ValueError, match=r"runs on the CPU, and the model is on meta: give the device 'cpu', or backend='torch'"
    ):
        OnnxRuntime(DeFormerForQuestionAnswering.from_pretrained(folder).to("meta"), "float32", folder)


def test_without_onnxruntime_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from haystack_deformer.runtime.onnx_runtime import OnnxRuntime\n"
        "from types import SimpleNamespace\n"
        "import torch\n"
        "OnnxRuntime(SimpleNamespace(device=torch.device('cpu')), 'float32', '.')"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert "pip install 'haystack-deformer[onnx]'" in result.stderr
