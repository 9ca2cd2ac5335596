"""The losses by hand, and a teacher that does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertTokenizerFast

from haystack_deformer.modeling import DeFormerForQuestionAnswering, SpanLogits
from haystack_deformer.passages import PassageTokenizer, load_tokenizer
from haystack_deformer.training.distillation import check_ensemble_member, check_teacher, kd_loss, lrs_loss
from haystack_deformer.training.teacher_output import TeacherOutput

LEAST = torch.finfo(torch.float32).min


def logits(*rows: list[float]) -> SpanLogits:
    """The same for starts and ends."""
    return SpanLogits(start_logits=torch.tensor(rows), end_logits=torch.tensor(rows))


class TestKdLoss:
    def test_by_hand(self) -> None:
        """Of two columns, with starts and ends that differ."""
        student = SpanLogits(start_logits=torch.tensor([[0.0, 0.0]]), end_logits=torch.tensor([[2.0, 0.0]]))
        teacher = SpanLogits(start_logits=torch.tensor([[4.0, 0.0]]), end_logits=torch.tensor([[0.0, 2.0]]))

        def divergence(taught: tuple[float, float], learnt: tuple[float, float]) -> float:
            p, q = (np.exp(np.array(x) / 2) / np.exp(np.array(x) / 2).sum() for x in (taught, learnt))
            return float((p * np.log(p / q)).sum())

        expected = 2**2 * (divergence((4, 0), (0, 0)) + divergence((0, 2), (2, 0))) / 2
        assert float(kd_loss(student, teacher, 2.0)) == pytest.approx(expected, rel=1e-5)

    def test_nothing_is_lost_between_equals(self) -> None:
        assert float(kd_loss(logits([1.0, 2.0, 3.0]), logits([1.0, 2.0, 3.0]), 2.0)) == pytest.approx(0, abs=1e-6)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
    def test_padding_counts_nothing(self, dtype: torch.dtype) -> None:
        least = torch.finfo(dtype).min
        short = kd_loss(logits([0.0, 1.0]), logits([1.0, 0.0]), 2.0)
        student, teacher = (
            torch.tensor([[0.0, 1.0, least]], dtype=dtype),
            torch.tensor([[1.0, 0.0, least]], dtype=dtype),
        )
        student.requires_grad_()
        padded = kd_loss(SpanLogits(None, student, student), SpanLogits(None, teacher, teacher), 2.0)
        padded.backward()
        assert float(padded) == pytest.approx(float(short), rel=1e-2)
        assert torch.isfinite(student.grad).all()
        assert student.grad[0, 2] == 0

    def test_is_the_mean_over_the_batch(self) -> None:
        one = kd_loss(logits([0.0, 1.0]), logits([1.0, 0.0]), 1.0)
        two = kd_loss(logits([0.0, 1.0], [0.0, 0.0]), logits([1.0, 0.0], [0.0, 0.0]), 1.0)
        assert float(two) == pytest.approx(float(one) / 2)


class TestLrsLoss:
    def states(self, *layers: torch.Tensor, mask: list[list[bool]]) -> SpanLogits:
        return SpanLogits(None, torch.zeros(1), torch.zeros(1), layers, torch.tensor(mask))

    def test_is_the_mean_over_layers_and_tokens_but_padding(self) -> None:
        mask = [[True, True, False], [True, False, False]]
        zeros = torch.zeros(2, 3, 4)
        ones = torch.ones(2, 3, 4)
        ones[~torch.tensor(mask)] = 1000.0
        student = self.states(zeros, zeros, mask=mask)
        teacher = self.states(zeros + 50, ones, ones * 3, mask=mask)
        # the teacher's first layer has no counterpart above the student's cut
        assert float(lrs_loss(student, TeacherOutput.of(teacher, 3))) == pytest.approx((1 + 9) / 2)

    def test_needs_the_states(self) -> None:
        with pytest.raises(ValueError, match="output_hidden_states=True"):
            lrs_loss(logits([1.0]), TeacherOutput.of(logits([1.0]), 0))


class TestCheckTeacher:
    def models(self, *folders: Path, cuts: tuple[int, int] = (0, 1)) -> list[Any]:
        parts: list[Any] = []
        for folder, cut in zip(folders, cuts, strict=True):
            model = DeFormerForQuestionAnswering.from_pretrained(folder, cut)
            parts += [model, PassageTokenizer(load_tokenizer(folder), model.deformer_config, model.backbone)]
        return parts

    def test_one_of_the_same_kind_may_teach(self, make_tiny_bert: Any) -> None:
        check_teacher(*self.models(make_tiny_bert(1), make_tiny_bert(2)))

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"layers": 5}, "number of layers is not the student's: 5 against 4"),
            ({"hidden_size": 16}, r"width \(hidden_size\) is not the student's: 16 against 32"),
        ],
    )
    def test_other_shapes(self, make_tiny_bert: Any, tiny_bert: Path, values: dict[str, int], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            check_teacher(*self.models(make_tiny_bert(**values), tiny_bert))

    def test_a_cut_teacher(self, tiny_bert: Path) -> None:
        with pytest.raises(ValueError, match="cut at lower_layers=1"):
            check_teacher(*self.models(tiny_bert, tiny_bert, cuts=(1, 1)))

    def test_another_tokenizer(self, make_tiny_bert: Any, tiny_bert: Path, tmp_path: Path) -> None:
        other = make_tiny_bert()
        vocabulary = load_tokenizer(other).get_vocab()
        lines = sorted(vocabulary, key=lambda token: vocabulary[token])
        # the special tokens stay where they are, else the layout would differ
        words = [number for number, token in enumerate(lines) if not token.startswith("[")]
        lines[words[0]], lines[words[1]] = lines[words[1]], lines[words[0]]
        (tmp_path / "vocab.txt").write_text("\n".join(lines), encoding="utf-8")
        BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt")).save_pretrained(other)
        for check in (check_teacher, check_ensemble_member):
            with pytest.raises(ValueError, match=r"tokenizer \(of \d+ tokens\) is not the student's"):
                check(*self.models(other, tiny_bert))

    def test_an_ensemble_takes_any_cut_and_size(self, make_tiny_bert: Any, tiny_bert: Path) -> None:
        check_ensemble_member(*self.models(make_tiny_bert(layers=5, hidden_size=16), tiny_bert, cuts=(2, 1)))

    def test_too_few_positions(self, make_tiny_bert: Any, tiny_bert: Path) -> None:
        _, teacher_passages, student, passages = self.models(tiny_bert, tiny_bert)
        short = DeFormerForQuestionAnswering.from_pretrained(make_tiny_bert(max_position_embeddings=100), 0)
        assert passages.passage_length > 100
        with pytest.raises(ValueError, match="positions for 100 tokens"):
            check_teacher(short, teacher_passages, student, passages)
