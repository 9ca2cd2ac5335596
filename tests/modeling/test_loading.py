"""What can stand at a path, and what is said where it is no model."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from haystack_deformer.modeling import DeFormerForQuestionAnswering, loading
from haystack_deformer.modeling.loading import load_upstream, resolve_config


def load(folder: Path | str, lower_layers: int | None = 2) -> DeFormerForQuestionAnswering:
    return DeFormerForQuestionAnswering.from_pretrained(folder, lower_layers)


@pytest.fixture
def folder(tiny_bert: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(tiny_bert, tmp_path / "model")


def edit_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))


class Bomb:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


class TestPaths:
    def test_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match=r"No model at '.*nowhere'"):
            load(tmp_path / "nowhere")

    def test_relative_and_not_there(self) -> None:
        with pytest.raises(OSError, match=r"No model at"):
            load("./nowhere")

    def test_name_that_is_on_no_hub(self) -> None:
        """The tests run without a network: transformers' own error passes through."""
        with pytest.raises(OSError, match="couldn't connect"):
            load("no-such-owner/no-such-model")

    def test_a_file(self, tiny_bert: Path) -> None:
        with pytest.raises(OSError, match=r"model\.safetensors'.*a folder"):
            load(tiny_bert / "model.safetensors")

    def test_without_config(self, folder: Path) -> None:
        (folder / "config.json").unlink()
        with pytest.raises(OSError, match=r"no config\.json"):
            load(folder)

    def test_with_config_that_is_no_json(self, folder: Path) -> None:
        (folder / "config.json").write_text('{"model_type": "be')
        with pytest.raises(OSError, match="config"):
            load(folder)

    def test_weights_that_this_user_may_not_read(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # as root, permission bits do not bind
        monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "model.safetensors")
        with pytest.raises(OSError, match=r"may not read .*model\.safetensors.*chmod a\+r"):
            DeFormerForQuestionAnswering.from_pretrained(folder, 2)

    def test_without_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        with pytest.raises(OSError, match=r"no weights: model\.safetensors is missing"):
            load(folder)

    @pytest.mark.parametrize("content", [lambda data: data[:-100], lambda _: b"version https://git-lfs.github.com/"])
    def test_weights_that_cannot_be_read(self, folder: Path, content: Any) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(content(path.read_bytes()))
        with pytest.raises(OSError, match=rf"weights of '{re.escape(str(folder))}' cannot be read"):
            load(folder)


class TestPickles:
    def test_alone_is_refused_with_the_remedy_and_never_loaded(self, folder: Path, tmp_path: Path) -> None:
        (folder / "model.safetensors").unlink()
        torch.save({"bomb": Bomb(tmp_path / "went off")}, folder / "pytorch_model.bin")
        with pytest.raises(OSError, match=r"pickle.*safe_serialization=True"):
            load(folder)
        assert not (tmp_path / "went off").exists()

    def test_is_not_loaded_where_the_folder_was_not_looked_at(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As for a name on the hub, whose files are not here to look at."""
        config, _ = resolve_config(folder, 2)
        monkeypatch.setattr(loading, "check_weights", lambda _: None)
        (folder / "model.safetensors").unlink()
        torch.save({"bomb": Bomb(tmp_path / "went off")}, folder / "pytorch_model.bin")
        with pytest.raises(OSError, match="safetensors"):
            load_upstream(folder, config)
        assert not (tmp_path / "went off").exists()

    def test_beside_safetensors_is_not_touched(self, folder: Path, tmp_path: Path) -> None:
        torch.save({"bomb": Bomb(tmp_path / "went off")}, folder / "pytorch_model.bin")
        assert load(folder).num_layers == 4
        assert not (tmp_path / "went off").exists()

    def test_the_bomb_is_live(self, tmp_path: Path) -> None:
        """Or the two tests above say nothing."""
        pickle.loads(pickle.dumps(Bomb(tmp_path / "went off")))
        assert (tmp_path / "went off").exists()


class TestFamilies:
    @pytest.mark.parametrize("model_type", ["gpt2", "no-such-type"])
    def test_unknown_lists_the_known(self, folder: Path, model_type: str) -> None:
        edit_config(folder, model_type=model_type)
        with pytest.raises(ValueError, match=rf"'{model_type}'.*Known types: .*bert"):
            load(folder)

    def test_without_a_type(self, folder: Path) -> None:
        edit_config(folder, model_type=None)
        with pytest.raises(ValueError, match=r"Known types: .*bert"):
            load(folder)


class TestHeads:
    def test_encoder_gets_a_new_one_with_a_warning(self, make_tiny_bert: Any, caplog: pytest.LogCaptureFixture) -> None:
        encoder = make_tiny_bert(3, head=False)
        model = load(encoder)
        (record,) = [record for record in caplog.records if record.name.startswith("haystack_deformer")]
        assert record.levelname == "WARNING"
        assert "no question-answering head" in record.getMessage()
        assert "qa_outputs" in record.getMessage()
        written = load_file(encoder / "model.safetensors")
        for name, tensor in model.model.bert.state_dict().items():
            assert torch.equal(tensor, written[name]), name

    @torch.inference_mode()
    def test_encoder_of_a_classifier_gets_two_columns(self, make_tiny_bert: Any) -> None:
        """Its config counts the classes, and upstream would make a head as wide."""
        model = load(make_tiny_bert(head=False, num_labels=3))
        logits = model(torch.tensor([[2, 9, 3]]), torch.tensor([[10, 11, 12, 3]]))
        assert logits.start_logits.shape == (1, 5)

    def test_checkpoint_that_lacks_a_layer_is_refused(self, folder: Path) -> None:
        path = folder / "model.safetensors"
        weights = {name: tensor for name, tensor in load_file(path).items() if "layer.1.attention" not in name}
        save_file(weights, path, metadata={"format": "pt"})
        with pytest.raises(ValueError, match=r"lack \d+ tensors.*layer\.1\.attention"):
            load(folder)

    def test_checkpoint_of_other_shapes_is_refused(self, folder: Path) -> None:
        edit_config(folder, vocab_size=50)
        with pytest.raises(ValueError, match=r"have other shapes than its config\.json says"):
            load(folder)

    def test_encoder_that_lacks_a_layer_is_refused(self, make_tiny_bert: Any, tmp_path: Path) -> None:
        folder = shutil.copytree(make_tiny_bert(head=False), tmp_path / "encoder")
        path = folder / "model.safetensors"
        weights = {name: tensor for name, tensor in load_file(path).items() if "layer.1.attention" not in name}
        save_file(weights, path, metadata={"format": "pt"})
        with pytest.raises(ValueError, match=r"lack \d+ tensors.*layer\.1\.attention"):
            load(folder)


class TestResolveConfig:
    def test_records_no_cut(self, tiny_bert: Path) -> None:
        for given, resolved in ((0, 0), (1, 1), (None, 3)):
            _, config = resolve_config(tiny_bert, given)
            assert config.lower_layers == resolved

    def test_records_a_cut(self, tiny_deformer: Path) -> None:
        for given, resolved in ((0, 0), (3, 3), (None, 2), (2, 2)):
            _, config = resolve_config(tiny_deformer, given)
            assert config.lower_layers == resolved
            assert config.max_seq_len == 62

    def test_reads_no_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        upstream, _ = resolve_config(folder, 1)
        assert upstream.hidden_size == 32

    def test_refuses_a_cut_that_does_not_fit(self, folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        with pytest.raises(ValueError, match="lower_layers=4 does not fit a model of 4 layers"):
            resolve_config(folder, 4)

    def test_field_of_a_later_version_is_refused(self, folder: Path) -> None:
        edit_config(folder, deformer={"lower_layers": 2, "answers_from_the_future": True})
        with pytest.raises(ValueError, match="answers_from_the_future"):
            resolve_config(folder)


def test_half_precision_weights_load_as_fp32(folder: Path) -> None:
    path = folder / "model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})
    edit_config(folder, torch_dtype="float16")
    config, _ = resolve_config(folder, 2)
    assert {parameter.dtype for parameter in load_upstream(folder, config).parameters()} == {torch.float32}
