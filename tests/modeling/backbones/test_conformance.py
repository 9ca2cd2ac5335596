"""What every backbone keeps to. A new family adds a line to FAMILIES in families.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from haystack_deformer.modeling import BACKBONES, DeFormerForQuestionAnswering, backbone_class
from haystack_deformer.modeling.outputs import SpanLogits
from tests.modeling.backbones.families import ALL, FAMILIES, LAYERS, Family, cut
from tests.modeling.tiny import assert_close, pad, random_ids


def assert_same_logits(one: SpanLogits, other: SpanLogits, row: int = 0, columns: int | None = None) -> None:
    """Of a row of `one`, cut to its columns, and the only row of `other`."""
    assert_close(one.start_logits[row, :columns], other.start_logits[0])
    assert_close(one.end_logits[row, :columns], other.end_logits[0])


class UpstreamLayer:
    """
    What enters a layer of upstream's own `forward`; left at once, unless other states are to enter in their place.

    :param number: of the layer, from 1; where layers share a module, of its calls.
    """

    def __init__(self, model: DeFormerForQuestionAnswering, number: int, states: Tensor | None = None) -> None:
        self.number, self.states = number, states
        self.calls = 0
        modules = {id(layer): layer for layer in model.backbone.layers}.values()
        self.hooks = [module.register_forward_pre_hook(self, with_kwargs=True) for module in modules]

    def __call__(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.calls += 1
        if self.calls != self.number:
            return None
        name = None if args else next(name for name in ("hidden_states", "x") if name in kwargs)
        entering = args[0] if args else kwargs[name]
        # XLNet has the batch in the middle
        turned = entering.shape[1] == 2
        if self.states is None:
            self.entered = entering.transpose(0, 1) if turned else entering
            raise StopIteration
        states = self.states.transpose(0, 1) if turned else self.states
        assert states.shape == entering.shape
        return ((states, *args[1:]), kwargs) if args else (args, {**kwargs, name: states})

    def __enter__(self) -> UpstreamLayer:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        for hook in self.hooks:
            hook.remove()
        return isinstance(error, StopIteration)


@pytest.fixture(params=range(LAYERS))
def model(request: pytest.FixtureRequest, upstream: PreTrainedModel) -> DeFormerForQuestionAnswering:
    return cut(upstream, request.param)


def test_every_known_type_has_a_line() -> None:
    known = {family.config().model_type for family in FAMILIES.values()}
    assert known | ({"modernbert"} if len(FAMILIES) < len(ALL) else set()) == set(BACKBONES)


class TestConformance:
    @torch.inference_mode()
    def test_short_way_equals_long_way(self, model: DeFormerForQuestionAnswering) -> None:
        questions, passages = torch.cat(random_ids(9, 9, seed=1)), torch.cat(random_ids(31, 31, seed=2))
        long = model(questions, passages)
        short = model.read(model.encode_question(questions), model.encode_passages(passages))
        assert short.start_logits.shape == (2, 1 + 31)
        assert_close(short.start_logits, long.start_logits)
        assert_close(short.end_logits, long.end_logits)
        # logits that do not differ from token to token would be equal for nothing
        assert long.start_logits.std(dim=1).min() > 0.05
        assert long.end_logits.std(dim=1).min() > 0.05

    @torch.inference_mode()
    @pytest.mark.parametrize(
        ("question_lengths", "passage_lengths"),
        [((9, 9, 9), (31, 12, 20)), ((4, 9, 6), (31, 31, 31)), ((4, 9, 6), (12, 31, 20))],
        ids=["passages", "questions", "both"],
    )
    def test_padding_changes_nothing(
        self, model: DeFormerForQuestionAnswering, question_lengths: tuple[int, ...], passage_lengths: tuple[int, ...]
    ) -> None:
        questions, passages = random_ids(*question_lengths, seed=3), random_ids(*passage_lengths, seed=4)
        question_ids, question_mask = pad(questions, 11)
        passage_ids, passage_mask = pad(passages, 35)
        long = model(question_ids, passage_ids, question_mask, passage_mask)
        short = model.read(
            model.encode_question(question_ids, question_mask),
            model.encode_passages(passage_ids, passage_mask),
            question_mask,
            passage_mask,
        )
        for row, (question, passage) in enumerate(zip(questions, passages, strict=True)):
            alone = model(question, passage)
            for way in (short, long):
                columns = 1 + passage.shape[1]
                assert_same_logits(way, alone, row, columns)
                # padding is never an answer
                assert (way.start_logits[row, columns:] < -1e30).all()
                assert (way.end_logits[row, columns:] < -1e30).all()

    @torch.inference_mode()
    def test_one_question_serves_all_passages(self, model: DeFormerForQuestionAnswering) -> None:
        (question,) = random_ids(8, seed=5)
        passages = random_ids(10, 17, 17, seed=6)
        passage_ids, passage_mask = pad(passages, 17)
        states = model.encode_passages(passage_ids, passage_mask)
        logits = model.read(model.encode_question(question), states, passage_mask=passage_mask)
        masked = model.read(model.encode_question(question), states, torch.ones_like(question), passage_mask)
        assert_close(masked.start_logits, logits.start_logits)
        for row, passage in enumerate(passages):
            assert_same_logits(logits, model(question, passage), row, 1 + passage.shape[1])

    @torch.inference_mode()
    def test_uncut_equals_upstream(self, family: Family, upstream: PreTrainedModel) -> None:
        model = cut(upstream, 0)
        questions, passages = torch.cat(random_ids(7, 7, seed=9)), torch.cat(random_ids(25, 25, seed=10))
        short = model.read(model.encode_question(questions), model.encode_passages(passages))
        for actual in (model(questions, passages), short):
            ours = (actual.start_logits, actual.end_logits)
            for one, other in zip(ours, family.upstream(upstream, questions, passages), strict=True):
                assert_close(one, self.columns(family, other, questions.shape[1]))

    @staticmethod
    def columns(family: Family, logits: Tensor, question_length: int) -> Tensor:
        """Of the logits of a joined sequence the null token's and the passage's."""
        if family.passage_first:
            return torch.cat([logits[:, -1:], logits[:, :-question_length]], dim=1)
        return torch.cat([logits[:, :1], logits[:, question_length:]], dim=1)

    @torch.inference_mode()
    def test_lower_layers_are_upstreams_over_one_block(
        self, family: Family, model: DeFormerForQuestionAnswering
    ) -> None:
        """Upstream never saw the other block: a block of no tokens stands in its place."""
        question, passage = torch.cat(random_ids(7, 7, seed=17)), torch.cat(random_ids(25, 25, seed=18))
        for blocks, actual in (
            ((question, passage[:, :0]), model.encode_question(question)),
            ((question[:, :0], passage), model.encode_passages(passage)),
        ):
            with UpstreamLayer(model, model.lower_layers + 1) as layer:
                family.upstream(model.model, *blocks)
            assert_close(actual, layer.entered)

    @torch.inference_mode()
    def test_upper_layers_are_upstreams_over_both(self, family: Family, model: DeFormerForQuestionAnswering) -> None:
        """Upstream reads both blocks at once; what enters its first upper layer is put in place of its own states."""
        question, passage = torch.cat(random_ids(7, 7, seed=19)), torch.cat(random_ids(25, 25, seed=20))
        blocks = model.encode_question(question), model.encode_passages(passage)
        joined = torch.cat(blocks[::-1] if family.passage_first else blocks, dim=1)
        with UpstreamLayer(model, model.lower_layers + 1, joined):
            expected = family.upstream(model.model, question, passage)
        actual = model.read(*blocks)
        for ours, theirs in zip((actual.start_logits, actual.end_logits), expected, strict=True):
            assert_close(ours, self.columns(family, theirs, question.shape[1]))

    @torch.inference_mode()
    def test_passages_states_do_not_change_with_their_company(
        self, model: DeFormerForQuestionAnswering, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passage, other, longer = random_ids(15, 15, 40, seed=11)
        alone = model.encode_passages(passage)
        ids, mask = pad([longer, passage], 44)
        assert_close(model.encode_passages(torch.cat([other, passage]))[1:], alone, 1e-5)
        assert_close(model.encode_passages(ids, mask)[1:, :15], alone, 1e-5)
        assert_close(model.encode_passages(passage, torch.ones_like(passage)), alone, 1e-5)
        # and they are not constant: another text has other states
        assert (model.encode_passages(other) - alone).abs().max() > 0.1

        seen: list[Tensor] = []
        run = model.backbone.run_layers

        def watch(states: Tensor, start: int, stop: int, context: Any) -> Tensor:
            if start == model.lower_layers:
                seen.append(states)
            return run(states, start, stop, context)

        monkeypatch.setattr(model.backbone, "run_layers", watch)
        for question in random_ids(4, 9, seed=12):
            model(question, passage)
            length = question.shape[1]
            first, last = (seen[-1][:, :15], seen[-1][:, 15:]), (seen[-1][:, length:], seen[-1][:, :length])
            states, asked = first if model.backbone.passage_first else last
            assert_close(states, alone, 1e-5)
            assert_close(asked, model.encode_question(question), 1e-5)

    @torch.inference_mode()
    def test_every_cut_answers_differently(self, upstream: PreTrainedModel) -> None:
        question, passage = random_ids(8, 20)
        logits = [cut(upstream, k)(question, passage).start_logits for k in range(LAYERS)]
        for k in range(LAYERS - 1):
            assert (logits[k] - logits[k + 1]).abs().max() > 0.01

    @torch.inference_mode()
    def test_question_and_the_order_of_words_reach_the_answer(self, model: DeFormerForQuestionAnswering) -> None:
        one, other, passage = random_ids(9, 9, 20, seed=13)
        logits = model(one, passage).start_logits
        assert (logits - model(other, passage).start_logits)[:, 1:].abs().max() > 0.01
        assert (logits[:, 1:] - model(one, passage.flip(1)).start_logits[:, 1:].flip(1)).abs().max() > 0.01

    @torch.inference_mode()
    def test_answers_the_same_after_loading(self, model: DeFormerForQuestionAnswering, tmp_path: Path) -> None:
        model.save_pretrained(tmp_path)
        loaded = DeFormerForQuestionAnswering.from_pretrained(tmp_path)
        assert loaded.deformer_config == model.deformer_config
        assert type(loaded.model) is type(model.model)
        question, passage = random_ids(8, 20)
        assert_same_logits(loaded(question, passage), model(question, passage))
        assert loaded.lower_fingerprint == model.lower_fingerprint

    def test_gradients_reach_every_layer(self, model: DeFormerForQuestionAnswering) -> None:
        question, passage = random_ids(8, 20)
        model.train().zero_grad()
        model(question, passage, start_positions=torch.tensor([4]), end_positions=torch.tensor([6])).loss.backward()
        for name, module in (*model.backbone.lower_modules(model.num_layers), ("head", model.backbone.head)):
            gradients = [parameter.grad for parameter in module.parameters()]
            assert sum(gradient.abs().sum().item() for gradient in gradients if gradient is not None) > 0, name
        model.eval().zero_grad()

    def test_training_overfits_32_examples(self, family: Family) -> None:
        torch.manual_seed(0)
        # upstream's own beginnings, and no dropout: it would take as many steps again
        model = cut(family.upstream_class(family.config()), LAYERS - 1)
        questions, passages = torch.cat(random_ids(*[6] * 32, seed=14)), torch.cat(random_ids(*[12] * 32, seed=15))
        # one in eight has no answer
        starts = torch.randint(1, 11, (32,), generator=torch.Generator().manual_seed(16)) * (torch.arange(32) % 8 > 0)
        ends = torch.where(starts > 0, starts + 2, 0)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for _ in range(400):
            optimizer.zero_grad()
            output = model(questions, passages, start_positions=starts, end_positions=ends)
            if output.loss < 0.02:
                break
            output.loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        assert torch.equal(output.start_logits.argmax(1), starts)
        assert torch.equal(output.end_logits.argmax(1), ends)

    @torch.inference_mode()
    def test_longest_block_is_read_and_a_longer_one_refused(self, upstream: PreTrainedModel) -> None:
        model = cut(upstream, 1)
        longest = model.backbone.max_block_length
        if longest is None:
            assert model.encode_passages(random_ids(500)[0]).shape[1] == 500
            return
        assert model.encode_passages(random_ids(longest)[0]).shape[1] == longest
        with pytest.raises(ValueError, match=f"longer than the {longest} positions"):
            model.encode_passages(random_ids(longest + 1)[0])

    def test_decoders_and_attention_without_masks_are_refused(self, family: Family) -> None:
        for values in ({"is_decoder": True}, {"_attn_implementation": "flash_attention_2"}):
            config = family.config()
            for name, value in values.items():
                setattr(config, name, value)
            with pytest.raises(ValueError, match=next(iter(values)).lstrip("_")):
                backbone_class(config.model_type).check(config)
