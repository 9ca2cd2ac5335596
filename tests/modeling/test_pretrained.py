"""A folder gives back what was saved in it, and the fingerprint tells what states depend on."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForQuestionAnswering, BertTokenizerFast

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import load_tokenizer
from tests.modeling.tiny import LAYERS, assert_close, load, random_ids


class TestFromPretrained:
    def test_of_a_question_answering_checkpoint(self, tiny_bert: Path, caplog: pytest.LogCaptureFixture) -> None:
        model = DeFormerForQuestionAnswering.from_pretrained(tiny_bert, lower_layers=3)
        assert (model.lower_layers, model.num_layers, model.training) == (3, LAYERS, False)
        assert_same_weights(model.model.state_dict(), load_file(tiny_bert / "model.safetensors"))
        assert model.device == torch.device("cpu")
        assert not caplog.records

    def test_takes_a_string_and_other_fields(self, tiny_bert: Path) -> None:
        model = DeFormerForQuestionAnswering.from_pretrained(str(tiny_bert), 1, max_seq_len=99, score_scale=0.5)
        assert model.deformer_config.max_seq_len == 99
        assert model.deformer_config.score_scale == 0.5
        assert model.deformer_config.max_answer_length == 30

    def test_without_a_cut_takes_three_quarters_and_warns(
        self, tiny_bert: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert DeFormerForQuestionAnswering.from_pretrained(tiny_bert).lower_layers == 3
        (record,) = caplog.records
        assert record.levelname == "WARNING"
        assert "lower_layers=3 of 4" in record.getMessage()

    def test_own_folder_restores_cut_and_lengths(
        self, tiny_deformer: Path, tiny_bert: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        model = DeFormerForQuestionAnswering.from_pretrained(tiny_deformer)
        config = model.deformer_config
        assert (config.lower_layers, config.max_seq_len, config.doc_stride, config.max_question_length) == (
            2,
            62,
            20,
            20,
        )
        assert_same_weights(model.model.state_dict(), load_file(tiny_bert / "model.safetensors"))
        assert not caplog.records

    def test_explicit_values_win_over_the_recorded(self, tiny_deformer: Path) -> None:
        config = DeFormerForQuestionAnswering.from_pretrained(tiny_deformer, 0, doc_stride=7).deformer_config
        assert (config.lower_layers, config.doc_stride, config.max_seq_len) == (0, 7, 62)

    @pytest.mark.parametrize("lower_layers", [-1, LAYERS, LAYERS + 7])
    def test_cut_out_of_range(self, tiny_bert: Path, lower_layers: int) -> None:
        with pytest.raises(ValueError, match=rf"lower_layers.*{lower_layers}"):
            DeFormerForQuestionAnswering.from_pretrained(tiny_bert, lower_layers)

    def test_unknown_field(self, tiny_bert: Path) -> None:
        with pytest.raises(TypeError, match="max_sequence_length"):
            DeFormerForQuestionAnswering.from_pretrained(tiny_bert, 1, max_sequence_length=64)


class TestSavePretrained:
    def test_writes_no_pickle_and_no_loose_file(self, tiny_deformer: Path) -> None:
        names = {path.name for path in tiny_deformer.iterdir()}
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
        assert {Path(name).suffix for name in names} <= {".json", ".safetensors", ".txt"}

    def test_folder_is_a_plain_checkpoint_of_transformers(self, tiny_deformer: Path, tiny_bert: Path) -> None:
        plain, info = AutoModelForQuestionAnswering.from_pretrained(tiny_deformer, output_loading_info=True)
        assert not info["missing_keys"]
        assert not info["unexpected_keys"]
        assert type(plain).__name__ == "BertForQuestionAnswering"
        assert_same_weights(plain.state_dict(), load_file(tiny_bert / "model.safetensors"))

    def test_tokenizer_beside_it_is_the_same(self, tiny_deformer: Path, tiny_tokenizer: BertTokenizerFast) -> None:
        text = "Which city is the capital of France?"
        assert load_tokenizer(tiny_deformer)(text)["input_ids"] == tiny_tokenizer(text)["input_ids"]

    @torch.inference_mode()
    def test_answers_the_same_after_loading(self, model: DeFormerForQuestionAnswering, tmp_path: Path) -> None:
        model.save_pretrained(tmp_path / "new" / "folder")
        loaded = DeFormerForQuestionAnswering.from_pretrained(tmp_path / "new" / "folder")
        assert loaded.deformer_config == model.deformer_config
        question, passage = random_ids(8, 20)
        assert_close(loaded(question, passage).start_logits, model(question, passage).start_logits, 0)

    def test_fp16_halves_the_bytes_and_loads_as_fp32(self, tiny_bert: Path, tmp_path: Path) -> None:
        model = load(tiny_bert, 2)
        model.save_pretrained(tmp_path, dtype=torch.float16)
        written = load_file(tmp_path / "model.safetensors")
        assert {tensor.dtype for tensor in written.values()} == {torch.float16}
        full, half = ((folder / "model.safetensors").stat().st_size for folder in (tiny_bert, tmp_path))
        assert half < 0.6 * full
        loaded = DeFormerForQuestionAnswering.from_pretrained(tmp_path)
        assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
        # the model that was saved stays as it was
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
        for name, tensor in loaded.model.state_dict().items():
            assert torch.equal(tensor, written[name].float())

    def test_config_records_the_cut(self, tiny_deformer: Path) -> None:
        recorded = json.loads((tiny_deformer / "config.json").read_text())["deformer"]
        assert recorded["lower_layers"] == 2
        assert recorded["max_seq_len"] == 62

    def test_weights_may_be_read_by_whom_the_config_may(
        self, model: DeFormerForQuestionAnswering, tmp_path: Path
    ) -> None:
        """Some releases of safetensors write for the owner alone."""
        before = os.umask(0o022)
        try:
            model.save_pretrained(tmp_path)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "model.safetensors").stat().st_mode) == 0o644

    def test_path_that_is_a_file_is_refused(self, tiny_bert: Path, tmp_path: Path) -> None:
        """transformers only logs it, and the weights of a training run would be gone."""
        path = tmp_path / "file"
        path.write_text("here first")
        with pytest.raises(OSError, match="file"):
            load(tiny_bert, 2).save_pretrained(path)
        assert path.read_text() == "here first"


class TestLowerFingerprint:
    """Changes with all that a passage's states depend on, and with nothing else."""

    @pytest.fixture
    def model(self, tiny_bert: Path) -> DeFormerForQuestionAnswering:
        return load(tiny_bert, 2)

    @staticmethod
    def anew(model: DeFormerForQuestionAnswering) -> str:
        """The fingerprint as another process would compute it; it is read once per object."""
        return DeFormerForQuestionAnswering(model.model, model.deformer_config).lower_fingerprint

    def test_is_stable(self, model: DeFormerForQuestionAnswering, tiny_bert: Path) -> None:
        assert model.lower_fingerprint == load(tiny_bert, 2).lower_fingerprint == self.anew(model)
        assert len(model.lower_fingerprint) == 32
        int(model.lower_fingerprint, 16)

    def test_is_read_once(self, model: DeFormerForQuestionAnswering) -> None:
        before = model.lower_fingerprint
        change(model.backbone.embeddings.word_embeddings.weight)
        assert model.lower_fingerprint == before

    @pytest.mark.parametrize(
        "name",
        [
            "bert.embeddings.word_embeddings.weight",
            "bert.embeddings.position_embeddings.weight",
            "bert.embeddings.token_type_embeddings.weight",
            "bert.embeddings.LayerNorm.bias",
            "bert.encoder.layer.0.attention.self.query.weight",
            "bert.encoder.layer.1.output.LayerNorm.bias",
        ],
    )
    def test_changes_with_lower_weights(self, model: DeFormerForQuestionAnswering, name: str) -> None:
        before = model.lower_fingerprint
        change(model.model.get_parameter(name))
        assert self.anew(model) != before

    @pytest.mark.parametrize(
        "name", ["bert.encoder.layer.2.attention.self.query.weight", "bert.encoder.layer.3.output.dense.bias"]
    )
    def test_does_not_change_with_upper_layers(self, model: DeFormerForQuestionAnswering, name: str) -> None:
        before = model.lower_fingerprint
        change(model.model.get_parameter(name))
        assert self.anew(model) == before

    def test_does_not_change_with_the_head(self, model: DeFormerForQuestionAnswering) -> None:
        before = model.lower_fingerprint
        change(model.model.qa_outputs.weight)
        assert self.anew(model) == before

    def test_changes_with_the_cut(self, tiny_bert: Path) -> None:
        assert len({load(tiny_bert, k).lower_fingerprint for k in range(LAYERS)}) == LAYERS

    def test_does_not_change_with_lengths_and_scores(self, tiny_bert: Path, tiny_deformer: Path) -> None:
        """Windows are the tokenizer's part of the key."""
        own = DeFormerForQuestionAnswering.from_pretrained(tiny_deformer, score_shift=2.0)
        assert own.lower_fingerprint == load(tiny_bert, 2).lower_fingerprint

    def test_survives_save_in_fp32_and_not_in_fp16(self, model: DeFormerForQuestionAnswering, tmp_path: Path) -> None:
        for folder, dtype, same in (("32", None, True), ("16", torch.float16, False)):
            model.save_pretrained(tmp_path / folder, dtype=dtype)
            loaded = DeFormerForQuestionAnswering.from_pretrained(tmp_path / folder)
            assert (loaded.lower_fingerprint == model.lower_fingerprint) is same
        again = tmp_path / "16 again"
        loaded.save_pretrained(again, dtype=torch.float16)
        # rounding once more changes nothing
        assert DeFormerForQuestionAnswering.from_pretrained(again).lower_fingerprint == loaded.lower_fingerprint


def change(parameter: torch.nn.Parameter) -> None:
    with torch.no_grad():
        parameter.view(-1)[-1] += 1e-3


def assert_same_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name
