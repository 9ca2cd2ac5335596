"""A run learns, and saves what it learnt."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageTokenizer, load_tokenizer
from haystack_deformer.squad import load_squad, split_held_out
from haystack_deformer.training import data as data_module
from haystack_deformer.training import matmul_attention
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.features import SquadFeatures, collate
from haystack_deformer.training.recipe import distil
from haystack_deformer.training.run import train
from tests.training.weights import weights


def loss_of(model: DeFormerForQuestionAnswering, config: TrainingConfig) -> float:
    passages = PassageTokenizer(load_tokenizer(config.model), model.deformer_config, model.backbone)
    features = SquadFeatures(load_squad(config.train)[0], passages, progress_bar=False)
    with torch.inference_mode():
        return float(model(**collate(features.features)).loss)


def test_learns_tiny_data_by_heart(config: TrainingConfig, make_tiny_bert: Any, tmp_path: Path) -> None:
    config = replace(
        config,
        model=str(make_tiny_bert(layers=2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)),
        lower_layers=1,
        learning_rate=3e-3,
        max_steps=60,
        batch_size=9,
    )
    lengths = {"max_seq_len": 62, "doc_stride": 20, "max_question_length": 20}
    untrained = DeFormerForQuestionAnswering.from_pretrained(config.model, 1, **lengths)
    model = train(config, tmp_path, progress_bar=False)
    assert loss_of(untrained, config) > 1
    assert loss_of(model, config) < 0.1
    assert not model.training
    assert model.deformer_config == untrained.deformer_config
    # what was saved is what was trained
    saved = DeFormerForQuestionAnswering.from_pretrained(tmp_path)
    assert loss_of(saved, config) == pytest.approx(loss_of(model, config))


def test_output_is_a_folder_that_loads_by_itself(uninterrupted: Path, config: TrainingConfig) -> None:
    model = DeFormerForQuestionAnswering.from_pretrained(uninterrupted)
    assert (model.lower_layers, model.deformer_config.max_seq_len) == (2, 62)
    assert load_tokenizer(uninterrupted)("paris")["input_ids"] == load_tokenizer(config.model)("paris")["input_ids"]


def test_every_layer_is_trained(uninterrupted: Path, config: TrainingConfig) -> None:
    before, after = weights(Path(config.model)), weights(uninterrupted)
    for part in ("embeddings.word", *(f"encoder.layer.{number}.output.dense" for number in range(4)), "qa_outputs"):
        names = [name for name in before if part in name]
        assert names
        assert any(not torch.equal(before[name], after[name]) for name in names), part


def test_frozen_embeddings_stay_as_they_were(config: TrainingConfig, tmp_path: Path) -> None:
    train(replace(config, freeze_embeddings=True), tmp_path, progress_bar=False)
    before = DeFormerForQuestionAnswering.from_pretrained(config.model, config.lower_layers).model.state_dict()
    for name, tensor in weights(tmp_path).items():
        assert torch.equal(tensor, before[name]) == (".embeddings." in name), name


def test_dropout_of_a_run_is_in_the_saved_config(config: TrainingConfig, tmp_path: Path) -> None:
    train(replace(config, hidden_dropout=0.25, max_steps=1), tmp_path, progress_bar=False)
    assert json.loads((tmp_path / "config.json").read_text())["hidden_dropout_prob"] == 0.25


def test_same_seed_gives_the_same_weights(uninterrupted: Path, config: TrainingConfig, tmp_path: Path) -> None:
    train(config, tmp_path / "same", progress_bar=False)
    train(replace(config, seed=4), tmp_path / "other", progress_bar=False)
    expected = weights(uninterrupted)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(tmp_path / "same").items())
    assert any(not torch.equal(tensor, expected[name]) for name, tensor in weights(tmp_path / "other").items())


def test_written_in_fp16(config: TrainingConfig, tmp_path: Path) -> None:
    train(replace(config, max_steps=1), tmp_path, dtype=torch.float16, progress_bar=False)
    assert {tensor.dtype for tensor in weights(tmp_path).values()} == {torch.float16}


def test_in_bfloat16_weights_stay_fp32(config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    train(replace(config, max_steps=2, bf16=True), tmp_path, progress_bar=False)
    # transformers leaves the precision in the environment, and runs that follow in the process would take it
    assert "ACCELERATE_MIXED_PRECISION" not in os.environ
    before, after = weights(Path(config.model)), weights(tmp_path)
    assert {tensor.dtype for tensor in after.values()} == {torch.float32}
    assert all(torch.isfinite(tensor).all() for tensor in after.values())
    assert not torch.equal(before["qa_outputs.weight"], after["qa_outputs.weight"])


def test_attention_goes_backwards_by_products_in_bfloat16_alone(
    config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    by_products = matmul_attention._attend
    monkeypatch.setattr(
        matmul_attention, "_attend", lambda *args, **kwargs: calls.append(1) or by_products(*args, **kwargs)
    )
    train(replace(config, max_steps=1), tmp_path / "exact", progress_bar=False)
    assert not calls
    train(replace(config, max_steps=1, bf16=True), tmp_path / "bf16", progress_bar=False)
    assert calls


class TestBadInput:
    def test_an_output_that_the_run_begins_with(self, config: TrainingConfig, tmp_path: Path) -> None:
        model = tmp_path / "model"
        train(replace(config, lower_layers=0, max_steps=1), model, progress_bar=False)
        before = weights(model)
        for values, name in (({"model": str(model)}, "model"), ({"teacher": str(model)}, "teacher")):
            for start in (train, distil):
                with pytest.raises(ValueError, match=rf"is the {name} of the run, which would be written over"):
                    start(replace(config, **values), tmp_path / "." / "model", progress_bar=False)
        assert all(torch.equal(tensor, before[name]) for name, tensor in weights(model).items())

    def test_data_is_refused_before_anything_is_written(self, config: TrainingConfig, tmp_path: Path) -> None:
        bad = tmp_path / "bad.json"
        bad.write_text('{"data": [')
        with pytest.raises(ValueError, match=r"bad\.json"):
            train(replace(config, train=(str(bad),)), tmp_path / "output", progress_bar=False)
        assert not (tmp_path / "output").exists()

    def test_lengths_that_do_not_fit(self, config: TrainingConfig, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="doc_stride=60"):
            train(replace(config, doc_stride=60), tmp_path / "output", progress_bar=False)

    def test_answers_longer_than_a_window_are_counted(
        self, config: TrainingConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        context = "paris is the capital of france " * 10
        content = json.loads(Path(config.train[0]).read_text())
        answers = [{"text": context, "answer_start": 0}]
        qas = [{"id": "whole-text", "question": "what", "answers": answers}]
        content["data"].append({"paragraphs": [{"context": context, "qas": qas}]})
        (tmp_path / "long.json").write_text(json.dumps(content))
        train(
            replace(config, train=(str(tmp_path / "long.json"),), max_steps=1), tmp_path / "output", progress_bar=False
        )
        assert "1 questions of 10 whose answer is longer" in caplog.text
        assert "whole-text" in caplog.text


class TestLostLoss:
    def test_stops_before_the_weights_are_lost(self, config: TrainingConfig, tmp_path: Path) -> None:
        with pytest.raises(FloatingPointError, match=r"step \d+: .*lower learning rate"):
            train(replace(config, learning_rate=1e30, warmup_ratio=0.0), tmp_path, save_steps=1, progress_bar=False)
        assert not (tmp_path / "model.safetensors").exists()
        for checkpoint in (tmp_path / "checkpoints").glob("checkpoint-*/model.safetensors"):
            assert all(torch.isfinite(tensor).all() for tensor in load_file(checkpoint).values())


def test_held_out_passages_take_no_part(
    config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as those of other questions either."""
    kept, held_out = (
        {example.context for example in side} for side in split_held_out(load_squad(config.train)[0], 0.3)
    )
    assert len(kept) > 1
    assert held_out
    trained: set[str] = set()
    features = data_module.SquadFeatures
    monkeypatch.setattr(
        data_module,
        "SquadFeatures",
        lambda examples, *args, **values: (
            trained.update(example.context for example in examples) or features(examples, *args, **values)
        ),
    )
    train(replace(config, held_out=0.3, hard_negatives=5.0, max_steps=1), tmp_path / "output", progress_bar=False)
    assert trained == kept
    with pytest.raises(ValueError, match=r"is left to train on \(held_out=0\.999"):
        train(replace(config, held_out=0.9999999999), tmp_path, progress_bar=False)
