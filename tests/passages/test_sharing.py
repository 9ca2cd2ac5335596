"""Whoever asks for the same model gets the same object, and nobody gets one that is out of date."""

from __future__ import annotations

import gc
import json
import os
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertTokenizerFast

from haystack_deformer.passages import PassageEncoder, default_device, load_encoder, load_tokenizer


@pytest.fixture
def folder(tiny_deformer: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return shutil.copytree(tiny_deformer, tmp_path / "model")


def test_onnx_takes_the_cpu_beside_a_gpu(tiny_deformer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert default_device() == default_device("torch") == torch.device("cuda:0")
    assert default_device("torch", "onnx") == torch.device("cpu")
    assert load_encoder(tiny_deformer, backend="onnx").model.device == torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there(tiny_deformer: Path, device: str) -> None:
    with pytest.raises(ValueError, match=f"finds no GPU to run on '{device}': leave devices and use_gpu out"):
        load_encoder(tiny_deformer, device=device)


class TestSharing:
    def test_is_the_model_of_the_folder(self, tiny_deformer: Path) -> None:
        encoder = load_encoder(tiny_deformer)
        assert isinstance(encoder, PassageEncoder)
        assert encoder.model.deformer_config.lower_layers == 2
        assert encoder.tokenizer.passage_length == 40
        assert encoder.name == str(tiny_deformer)
        assert not encoder.model.training
        written = load_file(tiny_deformer / "model.safetensors")
        assert all(torch.equal(tensor, written[name]) for name, tensor in encoder.model.model.state_dict().items())

    @pytest.mark.parametrize(
        "again",
        [
            load_encoder,
            lambda folder: load_encoder(str(folder)),
            lambda folder: load_encoder(f"{folder}/"),
            lambda folder: load_encoder(folder.parent / "." / folder.name),
            lambda folder: load_encoder(os.path.relpath(folder)),
            # the recorded values, said aloud
            lambda folder: load_encoder(folder, lower_layers=2),
            lambda folder: load_encoder(folder, max_seq_len=62, doc_stride=20),
            lambda folder: load_encoder(folder, device=torch.device("cpu")),
        ],
        ids=["same", "string", "slash", "dot", "relative", "cut", "lengths", "device"],
    )
    def test_same_is_shared(self, tiny_deformer: Path, again: Any) -> None:
        first = load_encoder(tiny_deformer)
        assert again(tiny_deformer) is first

    @pytest.mark.parametrize(
        "values", [{"lower_layers": 1}, {"doc_stride": 10}, {"score_scale": 1.0}], ids=lambda values: next(iter(values))
    )
    def test_other_settings_are_another(self, tiny_deformer: Path, values: dict[str, Any]) -> None:
        first = load_encoder(tiny_deformer)
        other = load_encoder(tiny_deformer, **values)
        assert other is not first
        ((name, value),) = values.items()
        assert getattr(other.model.deformer_config, name) == value
        # and the first is as it was
        assert load_encoder(tiny_deformer) is first
        assert getattr(first.model.deformer_config, name) != value

    def test_threads_load_once(self, folder: Path) -> None:
        with ThreadPoolExecutor(8) as pool:
            encoders = list(pool.map(lambda _: load_encoder(folder), range(16)))
        assert len(set(map(id, encoders))) == 1

    def test_is_let_go_of_when_nobody_holds_it(self, folder: Path) -> None:
        encoder = load_encoder(folder)
        gone = weakref.ref(encoder.model)
        del encoder
        gc.collect()
        assert gone() is None


class TestRewritten:
    def test_weights_are_loaded_anew(self, folder: Path) -> None:
        before = load_encoder(folder)
        # before safetensors 0.8 a file is written where it lies, and weights that were mapped from it change with it
        fingerprint = before.fingerprint
        path = folder / "model.safetensors"
        changed = {name: tensor + 0.01 for name, tensor in load_file(path).items()}
        save_file(changed, path, metadata={"format": "pt"})
        after = load_encoder(folder)
        assert after is not before
        assert after.fingerprint != fingerprint
        assert torch.equal(after.model.model.qa_outputs.weight, changed["qa_outputs.weight"])

    def test_weights_in_several_files_are_loaded_anew(self, folder: Path) -> None:
        load_encoder(folder).model.model.save_pretrained(folder / "parts", max_shard_size="40KB")
        load_tokenizer(folder).save_pretrained(folder / "parts")
        assert not (folder / "parts" / "model.safetensors").exists()
        before = load_encoder(folder / "parts")
        assert load_encoder(folder / "parts") is before
        # the embeddings are in the first
        part = min((folder / "parts").glob("model-*.safetensors"))
        save_file({name: tensor + 1 for name, tensor in load_file(part).items()}, part, metadata={"format": "pt"})
        assert load_encoder(folder / "parts").fingerprint != before.fingerprint

    def test_recorded_cut_is_read_anew(self, folder: Path) -> None:
        before = load_encoder(folder)
        path = folder / "config.json"
        config = json.loads(path.read_text())
        config["deformer"]["lower_layers"] = 1
        path.write_text(json.dumps(config))
        assert (before.model.lower_layers, load_encoder(folder).model.lower_layers) == (2, 1)

    def test_tokenizer_is_loaded_anew(self, folder: Path) -> None:
        before = load_encoder(folder)
        assert before.tokenizer.question("Paris") == before.tokenizer.question("paris")
        BertTokenizerFast.from_pretrained(folder, do_lower_case=False).save_pretrained(folder)
        after = load_encoder(folder)
        assert after is not before
        assert after.tokenizer.question("Paris") != before.tokenizer.question("paris")

    def test_other_files_do_not_count(self, folder: Path) -> None:
        before = load_encoder(folder)
        (folder / "README.md").write_text("a card")
        (folder / "checkpoints").mkdir()
        assert load_encoder(folder) is before


class TestBadInput:
    def test_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="No model at"):
            load_encoder(tmp_path / "nowhere")

    def test_cut_out_of_range(self, tiny_deformer: Path) -> None:
        with pytest.raises(ValueError, match="lower_layers=4"):
            load_encoder(tiny_deformer, lower_layers=4)

    def test_failure_is_not_remembered(self, folder: Path) -> None:
        weights = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(weights[:100])
        with pytest.raises(OSError, match="cannot be read"):
            load_encoder(folder)
        (folder / "model.safetensors").write_bytes(weights)
        assert load_encoder(folder).model.lower_layers == 2


def test_a_gpu_beyond_those_that_are_there(tiny_deformer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="There is no 'cuda:1': this machine has 1 GPUs, from 'cuda:0' on"):
        load_encoder(tiny_deformer, device="cuda:1")
