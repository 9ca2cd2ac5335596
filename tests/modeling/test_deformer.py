"""What is not tested for every family in `backbones`: the model by hand, on BERT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForQuestionAnswering

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from tests.modeling.tiny import LAYERS, assert_close, load, pad, random_ids


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


class TestTrimmedLastLayer:
    @torch.inference_mode()
    def test_leaves_no_trace(self, model: DeFormerForQuestionAnswering) -> None:
        """States of all tokens are asked for: then the last layer is upstream's own, over all of them."""
        questions, passages = random_ids(5, 9, seed=7), random_ids(30, 12, seed=8)
        (question_ids, question_mask), (passage_ids, passage_mask) = pad(questions, to=11), pad(passages, to=35)
        inputs = (question_ids, passage_ids, question_mask, passage_mask)
        trimmed, whole = model(*inputs), model(*inputs, output_hidden_states=True)
        assert_close(trimmed.start_logits, whole.start_logits)
        assert_close(trimmed.end_logits, whole.end_logits)

    def test_drops_attention_in_training(self, make_tiny_bert: Any) -> None:
        folder = make_tiny_bert(layers=1, attention_probs_dropout_prob=0.5, hidden_dropout_prob=0.0)
        model = load(folder, 0)
        question, passage = random_ids(5, 30)
        assert_close(model(question, passage).start_logits, model(question, passage).start_logits)
        model.train()
        first, second = (model(question, passage).start_logits for _ in range(2))
        assert not torch.allclose(first, second, atol=1e-3)


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

    def test_all_parameters_are_the_upstream_models(self, model: DeFormerForQuestionAnswering) -> None:
        """Nothing is added: the trainer sees every weight once."""
        names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
        assert names == [f"model.{name}" for name, _ in model.model.named_parameters()]
