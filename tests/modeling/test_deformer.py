"""The short way equals the long way, the cut is a cut, and a folder gives back what was saved in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModelForQuestionAnswering, BertTokenizerFast

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import load_tokenizer

LAYERS = 4
TOLERANCE = 1e-4


def random_ids(*lengths: int, seed: int = 0) -> list[Tensor]:
    """Token ids of several blocks, without special tokens' ids."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(5, 80, (1, length), generator=generator) for length in lengths]


def pad(blocks: list[Tensor], to: int = 0) -> tuple[Tensor, Tensor]:
    """Blocks in one tensor with garbage behind their ends, and the mask of what is there."""
    longest = max(to, *(block.shape[1] for block in blocks))
    ids = torch.cat([F.pad(block, (0, longest - block.shape[1]), value=7) for block in blocks])
    mask = torch.tensor([[column < block.shape[1] for column in range(longest)] for block in blocks])
    return ids, mask.long()


def load(folder: Path, lower_layers: int) -> DeFormerForQuestionAnswering:
    return DeFormerForQuestionAnswering.from_pretrained(folder, lower_layers, max_seq_len=128, doc_stride=20)


def assert_close(one: Tensor, other: Tensor, tolerance: float = TOLERANCE) -> None:
    torch.testing.assert_close(one, other, atol=tolerance, rtol=0)


@pytest.fixture(scope="module", params=range(LAYERS))
def model(request: pytest.FixtureRequest, tiny_bert: Path) -> DeFormerForQuestionAnswering:
    return load(tiny_bert, request.param)


class TestShortWayEqualsLongWay:
    @torch.inference_mode()
    def test_without_padding(self, model: DeFormerForQuestionAnswering) -> None:
        questions = torch.cat(random_ids(9, 9, seed=1))
        passages = torch.cat(random_ids(31, 31, seed=2))
        long = model(questions, passages)
        short = model.read(model.encode_question(questions), model.encode_passages(passages))
        assert short.start_logits.shape == (2, 1 + 31)
        assert_close(short.start_logits, long.start_logits)
        assert_close(short.end_logits, long.end_logits)
        # logits that do not differ from token to token would be equal for nothing
        assert long.start_logits.std() > 0.1

    @torch.inference_mode()
    @pytest.mark.parametrize(
        ("question_lengths", "passage_lengths"),
        [((9, 9, 9), (31, 12, 20)), ((4, 9, 6), (31, 31, 31)), ((4, 9, 6), (12, 31, 20))],
        ids=["passages", "questions", "both"],
    )
    def test_with_padding(
        self, model: DeFormerForQuestionAnswering, question_lengths: tuple[int, ...], passage_lengths: tuple[int, ...]
    ) -> None:
        questions, passages = random_ids(*question_lengths, seed=3), random_ids(*passage_lengths, seed=4)
        question_ids, question_mask = pad(questions, to=11)
        passage_ids, passage_mask = pad(passages, to=35)
        long = model(question_ids, passage_ids, question_mask, passage_mask)
        short = model.read(
            model.encode_question(question_ids, question_mask),
            model.encode_passages(passage_ids, passage_mask),
            question_mask,
            passage_mask,
        )
        for row, (question, passage) in enumerate(zip(questions, passages, strict=True)):
            columns = 1 + passage.shape[1]
            alone = model(question, passage)
            for way in (short, long):
                assert_close(way.start_logits[row, :columns], alone.start_logits[0])
                assert_close(way.end_logits[row, :columns], alone.end_logits[0])
                # padding is never an answer
                assert (way.start_logits[row, columns:] < -1e30).all()
                assert (way.end_logits[row, columns:] < -1e30).all()

    @torch.inference_mode()
    def test_one_question_serves_all_passages(self, model: DeFormerForQuestionAnswering) -> None:
        (question,) = random_ids(8, seed=5)
        passages = random_ids(10, 17, 17, seed=6)
        passage_ids, passage_mask = pad(passages)
        states = model.encode_passages(passage_ids, passage_mask)
        logits = model.read(model.encode_question(question), states, passage_mask=passage_mask)
        masked = model.read(model.encode_question(question), states, torch.ones_like(question), passage_mask)
        assert_close(masked.start_logits, logits.start_logits)
        for row, passage in enumerate(passages):
            alone = model(question, passage)
            assert_close(logits.start_logits[row, : 1 + passage.shape[1]], alone.start_logits[0])
            assert_close(logits.end_logits[row, : 1 + passage.shape[1]], alone.end_logits[0])

    @torch.inference_mode()
    def test_with_the_passage_first_and_the_null_token_last(
        self, model: DeFormerForQuestionAnswering, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The boundary is drawn for XLNet too, whose blocks stand the other way round."""
        questions, passages = random_ids(5, 9, seed=7), random_ids(30, 12, seed=8)
        question_ids, question_mask = pad(questions, to=11)
        passage_ids, passage_mask = pad(passages, to=35)
        bert = model(questions[0], passages[0])
        monkeypatch.setattr(model.backbone, "passage_first", True, raising=False)
        first = model(questions[0], passages[0])
        # BERT's positions are below the first layer, so that the order of the blocks does not matter to it
        assert_close(first.start_logits, bert.start_logits)
        monkeypatch.setattr(model.backbone, "null_first", False, raising=False)
        last = model(questions[0], passages[0])
        assert_close(last.start_logits[:, 1:], bert.start_logits[:, 1:])
        assert not torch.isclose(last.start_logits[0, 0], bert.start_logits[0, 0], atol=1e-3)
        long = model(question_ids, passage_ids, question_mask, passage_mask)
        short = model.read(
            model.encode_question(question_ids, question_mask),
            model.encode_passages(passage_ids, passage_mask),
            question_mask,
            passage_mask,
        )
        assert_close(short.start_logits, long.start_logits)
        for row, (question, passage) in enumerate(zip(questions, passages, strict=True)):
            alone = model.read(model.encode_question(question), model.encode_passages(passage))
            assert_close(short.start_logits[row, : 1 + passage.shape[1]], alone.start_logits[0])


class TestUncut:
    """k = 0 is the upstream model with positions and segments of the paper's layout."""

    @torch.inference_mode()
    @pytest.mark.parametrize("padded", [False, True])
    def test_equals_upstream(self, tiny_bert: Path, padded: bool) -> None:
        model = load(tiny_bert, 0)
        upstream = AutoModelForQuestionAnswering.from_pretrained(tiny_bert).eval()
        questions, passages = random_ids(7, 7, seed=9), random_ids(25, 13 if padded else 25, seed=10)
        question_ids, passage_ids = torch.cat(questions), pad(passages)[0]
        passage_mask = pad(passages)[1] if padded else torch.ones_like(passage_ids)
        expected = upstream(
            input_ids=torch.cat([question_ids, passage_ids], dim=1),
            attention_mask=torch.cat([torch.ones_like(question_ids), passage_mask], dim=1),
            token_type_ids=torch.cat([torch.zeros_like(question_ids), torch.ones_like(passage_ids)], dim=1),
            position_ids=torch.cat([torch.arange(7), torch.arange(25)])[None].expand(2, -1),
        )
        states = model.encode_question(question_ids), model.encode_passages(passage_ids, passage_mask)
        for actual in (
            model(question_ids, passage_ids, passage_mask=passage_mask),
            model.read(*states, passage_mask=passage_mask),
        ):
            for ours, theirs in (
                (actual.start_logits, expected.start_logits),
                (actual.end_logits, expected.end_logits),
            ):
                columns = torch.cat([theirs[:, :1], theirs[:, 7:]], dim=1)
                for row, passage in enumerate(passages):
                    length = 1 + passage.shape[1]
                    assert_close(ours[row, :length], columns[row, :length])

    @torch.inference_mode()
    def test_states_are_the_embeddings(self, tiny_bert: Path) -> None:
        model = load(tiny_bert, 0)
        (passage,) = random_ids(12)
        expected = model.model.bert.embeddings(
            input_ids=passage, token_type_ids=torch.ones_like(passage), position_ids=torch.arange(12)[None]
        )
        assert_close(model.encode_passages(passage), expected)


class TestCut:
    @torch.inference_mode()
    def test_every_cut_answers_differently(self, tiny_bert: Path) -> None:
        question, passage = random_ids(8, 20)
        logits = [load(tiny_bert, k)(question, passage).start_logits for k in range(LAYERS)]
        for k in range(LAYERS - 1):
            assert (logits[k] - logits[k + 1]).abs().max() > 0.01

    @torch.inference_mode()
    def test_lower_layers_are_the_first_layers_over_the_block_alone(self, tiny_bert: Path) -> None:
        upstream = AutoModelForQuestionAnswering.from_pretrained(tiny_bert).eval()
        question, passage = random_ids(8, 20)
        for k in range(LAYERS):
            model = load(tiny_bert, k)
            for ids, segment, actual in (
                (question, 0, model.encode_question(question)),
                (passage, 1, model.encode_passages(passage)),
            ):
                hidden = upstream.bert(
                    ids, token_type_ids=torch.full_like(ids, segment), output_hidden_states=True
                ).hidden_states
                assert_close(actual, hidden[k])

    @torch.inference_mode()
    def test_passages_states_do_not_change_with_their_company(self, model: DeFormerForQuestionAnswering) -> None:
        passage, other, longer = random_ids(15, 15, 40, seed=11)
        alone = model.encode_passages(passage)
        beside = model.encode_passages(torch.cat([other, passage]))[1:]
        ids, mask = pad([longer, passage])
        padded = model.encode_passages(ids, mask)[1:, :15]
        assert_close(beside, alone, 1e-5)
        assert_close(padded, alone, 1e-5)
        # and they are not constant: another text has other states
        assert (model.encode_passages(other) - alone).abs().max() > 0.1

    def test_question_does_not_reach_the_passages_lower_states_in_forward(self, tiny_bert: Path) -> None:
        """In one sequence the attention mask alone keeps the blocks apart: watch the states at the cut."""
        model = load(tiny_bert, 2)
        seen: list[Tensor] = []
        model.backbone.layers[2].register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
        short_question, question, passage = random_ids(4, 9, 20, seed=12)
        model(short_question, passage)
        model(question, passage)
        assert_close(seen[0][:, 4:], seen[1][:, 9:], 1e-5)
        assert_close(seen[0][:, 4:], model.encode_passages(passage), 1e-5)
        assert_close(seen[1][:, :9], model.encode_question(question), 1e-5)

    @torch.inference_mode()
    def test_question_reaches_the_answer(self, model: DeFormerForQuestionAnswering) -> None:
        one, other, passage = random_ids(9, 9, 20, seed=13)
        assert (model(one, passage).start_logits - model(other, passage).start_logits)[:, 1:].abs().max() > 0.01

    @torch.inference_mode()
    def test_passage_has_its_own_segment(self, model: DeFormerForQuestionAnswering) -> None:
        (ids,) = random_ids(10)
        assert (model.encode_question(ids) - model.encode_passages(ids)).abs().max() > 0.01

    def test_block_longer_than_the_positions_is_refused(self, make_tiny_bert: Any) -> None:
        model = load(make_tiny_bert(layers=1, max_position_embeddings=16), 0)
        question, passage, longer = random_ids(16, 16, 17)
        assert model(question, passage).start_logits.shape == (1, 17)
        for call in (
            lambda: model.encode_passages(longer),
            lambda: model.encode_question(longer),
            lambda: model(question, longer),
            lambda: model(longer, passage),
        ):
            with pytest.raises(ValueError, match=r"17 tokens is longer than the 16 positions"):
                call()


class TestLoss:
    def test_is_the_mean_of_both_ends(self, model: DeFormerForQuestionAnswering) -> None:
        questions, passages = random_ids(6, 9, seed=14), random_ids(20, 11, seed=15)
        question_ids, question_mask = pad(questions)
        passage_ids, passage_mask = pad(passages)
        start, end = torch.tensor([3, 0]), torch.tensor([5, 0])
        output = model(question_ids, passage_ids, question_mask, passage_mask, start, end)
        expected = 0.0
        for row, (question, passage) in enumerate(zip(questions, passages, strict=True)):
            alone = model(question, passage)
            expected -= F.log_softmax(alone.start_logits[0], 0)[start[row]].item()
            expected -= F.log_softmax(alone.end_logits[0], 0)[end[row]].item()
        assert output.loss.item() == pytest.approx(expected / 4, abs=1e-4)
        assert model(question_ids, passage_ids).loss is None

    def test_gradients_reach_every_layer(self, model: DeFormerForQuestionAnswering) -> None:
        question, passage = random_ids(8, 20)
        model.zero_grad()
        model(question, passage, start_positions=torch.tensor([4]), end_positions=torch.tensor([6])).loss.backward()
        modules = {"embeddings": model.backbone.embeddings, "head": model.backbone.head}
        modules |= {f"layer {number}": layer for number, layer in enumerate(model.backbone.layers)}
        for name, module in modules.items():
            gradient = sum(parameter.grad.abs().sum().item() for parameter in module.parameters())
            assert gradient > 0, name
        model.zero_grad()

    def test_all_parameters_are_the_upstream_models(self, model: DeFormerForQuestionAnswering) -> None:
        """Nothing is added: the trainer sees every weight once."""
        names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
        assert names == [f"model.{name}" for name, _ in model.model.named_parameters()]


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
