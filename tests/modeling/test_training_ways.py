"""What training needs of the model: questions that share passages, states to compare, layers that stand still."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from haystack_deformer.modeling import IGNORE_INDEX, DeFormerConfig, DeFormerForQuestionAnswering
from haystack_deformer.modeling.backbones import backbone_class
from tests.modeling.backbones.families import FAMILIES, Family

QUESTIONS = torch.randint(5, 80, (3, 8), generator=torch.Generator().manual_seed(1))
QUESTION_MASK = torch.tensor([[1] * 8, [1] * 5 + [0] * 3, [1] * 8])
PASSAGES = torch.randint(5, 80, (2, 20), generator=torch.Generator().manual_seed(2))
PASSAGE_MASK = torch.tensor([[1] * 20, [1] * 11 + [0] * 9])
INDEX = torch.tensor([1, 0, 1])


@pytest.fixture(params=[0, 1, 3])
def model(request: pytest.FixtureRequest, tiny_bert: Path) -> DeFormerForQuestionAnswering:
    return DeFormerForQuestionAnswering.from_pretrained(tiny_bert, request.param)


@pytest.mark.parametrize("masked", [False, True])
def test_questions_that_share_passages_read_as_if_each_had_its_own(
    model: DeFormerForQuestionAnswering, masked: bool
) -> None:
    question_mask, passage_mask = (QUESTION_MASK, PASSAGE_MASK) if masked else (None, None)
    with torch.inference_mode():
        shared = model(QUESTIONS, PASSAGES, question_mask, passage_mask, passage_index=INDEX)
        own = model(QUESTIONS, PASSAGES[INDEX], question_mask, None if passage_mask is None else passage_mask[INDEX])
    torch.testing.assert_close(shared.start_logits, own.start_logits, atol=1e-4, rtol=0)
    torch.testing.assert_close(shared.end_logits, own.end_logits, atol=1e-4, rtol=0)
    assert shared.start_logits.std() > 0.1


def test_gradients_of_a_shared_passage_are_the_sum_of_its_questions(tiny_bert: Path) -> None:
    starts, ends = torch.tensor([1, 4, 0]), torch.tensor([2, 4, 0])
    gradients = []
    for passages, mask, index in (
        (PASSAGES, PASSAGE_MASK, INDEX),
        (PASSAGES[INDEX], PASSAGE_MASK[INDEX], None),
    ):
        model = DeFormerForQuestionAnswering.from_pretrained(tiny_bert, 2)
        model(QUESTIONS, passages, QUESTION_MASK, mask, starts, ends, passage_index=index).loss.backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-4, rtol=1e-3, msg=name)


class TestHiddenStates:
    def test_are_those_above_the_cut(self, model: DeFormerForQuestionAnswering) -> None:
        with torch.inference_mode():
            output = model(
                QUESTIONS, PASSAGES, QUESTION_MASK, PASSAGE_MASK, passage_index=INDEX, output_hidden_states=True
            )
            plain = model(QUESTIONS, PASSAGES, QUESTION_MASK, PASSAGE_MASK, passage_index=INDEX)
            start = model.backbone.head(output.hidden_states[-1])[:, :, 0]
        assert [tuple(states.shape) for states in output.hidden_states] == [(3, 28, 32)] * (4 - model.lower_layers)
        torch.testing.assert_close(start[:, 0], output.start_logits[:, 0])
        torch.testing.assert_close(output.start_logits, plain.start_logits)
        assert plain.hidden_states is None

    def test_token_mask_tells_tokens_from_padding(self, model: DeFormerForQuestionAnswering) -> None:
        output = model(QUESTIONS, PASSAGES, QUESTION_MASK, PASSAGE_MASK, passage_index=INDEX, output_hidden_states=True)
        expected = torch.cat([QUESTION_MASK, PASSAGE_MASK[INDEX]], dim=1).bool()
        assert torch.equal(output.token_mask, expected)
        output = model(QUESTIONS, PASSAGES, passage_index=INDEX, output_hidden_states=True)
        assert output.token_mask.all()


class TestQuestionsWithoutALabel:
    def test_count_in_no_loss(self, model: DeFormerForQuestionAnswering) -> None:
        starts, ends = torch.tensor([3, IGNORE_INDEX, 0]), torch.tensor([4, IGNORE_INDEX, 0])
        labelled = torch.tensor([0, 2])
        with torch.inference_mode():
            loss = model(QUESTIONS, PASSAGES, start_positions=starts, end_positions=ends, passage_index=INDEX).loss
            expected = model(
                QUESTIONS[labelled],
                PASSAGES,
                start_positions=starts[labelled],
                end_positions=ends[labelled],
                passage_index=INDEX[labelled],
            ).loss
        torch.testing.assert_close(loss, expected)

    def test_alone_lose_nothing(self, model: DeFormerForQuestionAnswering) -> None:
        none = torch.full((3,), IGNORE_INDEX)
        loss = model(QUESTIONS, PASSAGES, start_positions=none, end_positions=none, passage_index=INDEX).loss
        loss.backward()
        assert float(loss.detach()) == 0
        assert all(torch.isfinite(x.grad).all() for x in model.parameters() if x.grad is not None)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_no_dropout_is_left_where_none_is_asked_for(family: Family, tmp_path: Path) -> None:
    family.model().save_pretrained(tmp_path)
    attention = {"attention_dropout": 0.0} if backbone_class(family.config().model_type).attention_dropout_field else {}
    model = DeFormerForQuestionAnswering.from_pretrained(tmp_path, 1, hidden_dropout=0.0, **attention)
    model.train()
    one, other = (model(QUESTIONS, PASSAGES, passage_index=INDEX).start_logits for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_hidden_dropout_in_place_of_the_models_own(family: Family, tmp_path: Path) -> None:
    config = family.config()
    backbone_class(config.model_type).set_hidden_dropout(config, 0.0)
    family.model(config=config).save_pretrained(tmp_path)
    model = DeFormerForQuestionAnswering.from_pretrained(tmp_path, 1, hidden_dropout=0.5)
    model.train()
    one, other = (model(QUESTIONS, PASSAGES, passage_index=INDEX).start_logits for _ in range(2))
    assert not torch.equal(one, other)


def test_frozen_embeddings_get_no_gradient(tiny_bert: Path) -> None:
    model = DeFormerForQuestionAnswering.from_pretrained(tiny_bert, 2)
    model.freeze_embeddings()
    columns = torch.tensor([1, 2, 3])
    model(QUESTIONS, PASSAGES, start_positions=columns, end_positions=columns, passage_index=INDEX).loss.backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (".embeddings." in name), name


class TestFreezeLower:
    def test_lower_layers_get_no_gradient_and_no_dropout(self, tiny_bert: Path) -> None:
        model = DeFormerForQuestionAnswering.from_pretrained(tiny_bert, 2)
        model.freeze_lower()
        model.train()
        assert torch.equal(model.encode_passages(PASSAGES), model.encode_passages(PASSAGES))
        columns = torch.tensor([1, 2, 3])
        model(QUESTIONS, PASSAGES, start_positions=columns, end_positions=columns, passage_index=INDEX).loss.backward()
        lower = {id(p) for _, module in model.backbone.lower_modules(2) for p in module.parameters()}
        for name, parameter in model.named_parameters():
            assert (parameter.grad is None) == (id(parameter) in lower), name

    @pytest.mark.parametrize("name", [name for name in FAMILIES if not name.startswith("albert")])
    def test_states_are_those_of_an_index(self, name: str) -> None:
        model = DeFormerForQuestionAnswering(FAMILIES[name].model(), DeFormerConfig(2))
        expected = model.eval().encode_passages(PASSAGES)
        model.train()
        # or there would be nothing to take away; ModernBERT has none
        assert torch.equal(model.encode_passages(PASSAGES), expected) == (name == "modernbert")
        model.freeze_lower()
        assert torch.equal(model.encode_passages(PASSAGES), expected)

    def test_upper_layers_keep_their_dropout(self, tiny_bert: Path) -> None:
        model = DeFormerForQuestionAnswering.from_pretrained(tiny_bert, 2)
        model.freeze_lower()
        model.train()
        one, other = (model(QUESTIONS, PASSAGES, passage_index=INDEX).start_logits for _ in range(2))
        assert not torch.equal(one, other)
        model.eval()
        one, other = (model(QUESTIONS, PASSAGES, passage_index=INDEX).start_logits for _ in range(2))
        assert torch.equal(one, other)

    def test_layers_that_share_weights_cannot_be_frozen_apart(self) -> None:
        upstream = FAMILIES["albert"].model()
        model = DeFormerForQuestionAnswering(upstream, DeFormerConfig(1))
        with pytest.raises(ValueError, match="layers of a albert share their weights"):
            model.freeze_lower()
        assert all(parameter.requires_grad for parameter in model.parameters())
