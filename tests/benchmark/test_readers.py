"""The readers that are compared: each the one that its name says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from transformers import AutoModelForQuestionAnswering

from haystack_deformer.benchmark import full_onnx
from haystack_deformer.benchmark import memory as memory_module
from haystack_deformer.benchmark import readers as readers_module
from haystack_deformer.benchmark import workload as workload_module
from haystack_deformer.benchmark.full_onnx import FullOnnxReader
from haystack_deformer.benchmark.readers import make_readers, make_store
from haystack_deformer.benchmark.workload import load_workload, make_bert
from haystack_deformer.passages import load_tokenizer
from tests.benchmark.conftest import SMALL


class TestReaders:
    def test_the_full_model_in_onnx_is_the_upstream_model(self, bert: str, tmp_path: Path) -> None:
        workload = load_workload(tmp_path, bert, 2)
        question, document = workload.questions[0], workload.documents[0]
        (best,) = FullOnnxReader(bert, tmp_path / "onnx").predict(question, [document], top_k=1)["answers"]
        encoded = load_tokenizer(bert)(question, document.content, return_tensors="pt", return_offsets_mapping=True)
        offsets = encoded.pop("offset_mapping")[0]
        with torch.inference_mode():
            logits = AutoModelForQuestionAnswering.from_pretrained(bert).eval()(**encoded)
        first = encoded["token_type_ids"][0].tolist().index(1)
        last = len(offsets) - 2
        spans = [
            (float(logits.start_logits[0, i] + logits.end_logits[0, j]), int(offsets[i, 0]), int(offsets[j, 1]))
            for i in range(first, last + 1)
            for j in range(i, min(i + 30, last + 1))
        ]
        _, start, end = max(spans)
        assert best.answer == document.content[start:end]

    def test_another_model_in_the_same_folder_has_a_graph_of_its_own(self, bert: str, tmp_path: Path) -> None:
        other = str(make_bert(tmp_path / "other", seed=1, **SMALL))
        workload = load_workload(tmp_path, bert, 2)

        def score(model: str, folder: str) -> float:
            reader = FullOnnxReader(model, tmp_path / folder)
            return reader.predict(workload.questions[0], list(workload.documents[:3]))["answers"][0].score

        assert score(bert, "onnx") != score(other, "onnx") == score(other, "another")

    def test_weights_that_no_one_file_holds_are_beside_their_graph(
        self, bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As the exporter puts those of more than 2 GiB, which ONNX Runtime does not quantise."""
        workload = load_workload(tmp_path, bert, 2)

        def best(folder: str) -> float:
            reader = make_readers(workload, None, tmp_path / folder, "full model, ONNX fp32")["full model, ONNX fp32"]
            return reader.predict(workload.questions[0], list(workload.documents[:3]))["answers"][0].score

        def export_apart(*args: Any, exported: Any = full_onnx.export) -> None:
            exported(*args)
            onnx.save_model(
                onnx.load(args[-1]),
                args[-1],
                save_as_external_data=True,
                all_tensors_to_one_file=False,
                size_threshold=0,
            )

        expected = best("whole")
        monkeypatch.setattr(full_onnx, "export", export_apart)
        assert best("apart") == expected
        monkeypatch.setattr(full_onnx, "export", lambda *_: pytest.fail("it was made already"))
        assert best("apart") == expected
        monkeypatch.setattr(full_onnx, "_MOST_BYTES", 1 << 10)
        assert make_readers(workload, None, tmp_path / "apart", "full model, ONNX int8") == {}
        assert "full model, ONNX int8 is left out: The graph has" in caplog.text

    def test_names_of_no_reader_are_refused(self, bert: str, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="No reader is called 'farm': give names, or parts, of FARMReader"):
            make_readers(load_workload(tmp_path, bert, 2), None, tmp_path, "farm,ONNX")

    def test_a_whole_name_is_that_reader_alone(self, bert: str, tmp_path: Path) -> None:
        """Names have commas in them: each reader's memory would be measured beside others'."""
        workload = load_workload(tmp_path, bert, 2)
        store = make_store(workload, tmp_path / "states", "SQ8", progress_bar=False)
        for name in ("DeFormerReader, ONNX int8", "DeFormerReader, torch fp32", "FARMReader"):
            assert list(make_readers(workload, store, tmp_path, name)) == [name]
        assert list(make_readers(workload, store, tmp_path, "torch fp32, ONNX int8")) == [
            "full model, ONNX int8",
            "DeFormerReader, torch fp32",
            "DeFormerReader, ONNX int8",
        ]

    def test_the_memory_of_others_is_without_our_model(
        self, bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(memory_module, "make_store", lambda *_, **__: pytest.fail("it loads the model once more"))
        arguments = {
            "folder": str(tmp_path),
            "model": bert,
            "lower_layers": 2,
            "data": None,
            "codec": "SQ8",
            "top_k": 2,
        }
        memory_module._main({**arguments, "name": "TransformersReader"})
        assert int(capsys.readouterr().out.split()[-1]) > 50

    def test_the_cut_0_is_a_cut(self, bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workload_module, "make_bert", lambda *_: bert)
        assert [load_workload(tmp_path, None, cut).lower_layers for cut in (None, 0, 3)] == [9, 0, 3]

    def test_what_is_not_installed_is_named_and_left_out(
        self, bert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        workload = load_workload(tmp_path, bert, 2)
        store = make_store(workload, tmp_path / "states", "SQ8", progress_bar=False)
        monkeypatch.setattr(readers_module, "find_spec", lambda _: None)
        readers = make_readers(workload, store, tmp_path, "full model,torch fp32")
        assert list(readers) == ["DeFormerReader, torch fp32"]
        assert "full model, ONNX fp32 is left out" in caplog.text
