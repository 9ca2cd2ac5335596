"""What a teacher said, from the disk: the same as asked anew in whatever batch, asked again where it is damaged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from haystack_deformer.modeling import DeFormerForQuestionAnswering, SpanLogits
from haystack_deformer.passages import PassageTokenizer, load_tokenizer
from haystack_deformer.squad import load_squad
from haystack_deformer.training.features import SquadFeatures, collate
from haystack_deformer.training.teacher import Teacher
from haystack_deformer.training.teacher_output import TeacherOutput
from haystack_deformer.training.teacher_output_store import TeacherOutputStore


@pytest.fixture(scope="module")
def teacher(tiny_bert: Path) -> DeFormerForQuestionAnswering:
    return DeFormerForQuestionAnswering.from_pretrained(tiny_bert, 0).eval()


@pytest.fixture(scope="module")
def features(tiny_bert: Path, teacher: DeFormerForQuestionAnswering, write_squad: Any) -> Any:
    paragraphs = [
        {
            "context": "paris is the capital of france. " * repeats,
            "qas": [{"id": str(repeats), "question": "what is the " + "capital " * repeats, "answers": []}],
        }
        for repeats in (1, 4, 2, 3)
    ]
    path = write_squad(paragraphs)
    passages = PassageTokenizer(load_tokenizer(tiny_bert), teacher.deformer_config, teacher.backbone)
    return SquadFeatures(load_squad([str(path)], labelled=False)[0], passages, progress_bar=False).features


def batch_of(features: Any, *numbers: int) -> tuple[dict[str, torch.Tensor], list[int]]:
    return collate([features[number] for number in numbers]), list(numbers)


def assert_same(ours: TeacherOutput, theirs: TeacherOutput) -> None:
    """Of the last layers that both have; fp16 keeps three digits."""
    for name in ("start_logits", "end_logits"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=1e-3, atol=1e-3)
    for one, other in zip(ours.token_states[::-1], theirs.token_states[::-1], strict=False):
        torch.testing.assert_close(one.float(), other.float(), rtol=1e-3, atol=1e-3)


def test_in_bfloat16_wherever_it_is_asked(teacher: DeFormerForQuestionAnswering, features: Any) -> None:
    """transformers' autocast reaches a teacher on one CPU alone."""
    inputs, asked = batch_of(features, 0, 1)
    assert Teacher(teacher, 1)(inputs, asked).start_logits.dtype == torch.float32
    output = Teacher(teacher, 1, bf16=True)(inputs, asked)
    assert output.start_logits.dtype == torch.bfloat16
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(Teacher(teacher, 1, bf16=True)(inputs, asked).start_logits, output.start_logits)


def test_states_that_are_not_compared_are_not_copied() -> None:
    states, mask = torch.rand(2, 3, 4), torch.tensor([[True, True, False], [True, True, True]])
    untouched: Any = None  # has no tokens to be taken
    output = SpanLogits(None, torch.rand(2, 3), torch.rand(2, 3), (untouched, untouched, states), mask)
    (kept,) = TeacherOutput.of(output, 1).token_states
    assert kept.equal(states[mask])
    assert TeacherOutput.of(output, 0).token_states == ()


class TestEnsemble:
    """The logits are the mean of all models', the states the teacher's."""

    @pytest.fixture
    def others(self, make_tiny_bert: Any) -> list[DeFormerForQuestionAnswering]:
        wide = make_tiny_bert(8, layers=5, hidden_size=16)
        return [
            DeFormerForQuestionAnswering.from_pretrained(folder, cut).eval()
            for folder, cut in ((make_tiny_bert(7), 2), (wide, 0))
        ]

    def test_is_the_mean_of_all_but_for_padding(
        self, teacher: DeFormerForQuestionAnswering, others: list[DeFormerForQuestionAnswering], features: Any
    ) -> None:
        inputs, asked = batch_of(features, 0, 1)
        output = Teacher(teacher, 1, ensemble=others)(inputs, asked)
        alone = [Teacher(model, 1)(inputs, asked) for model in (teacher, *others)]
        for name in ("start_logits", "end_logits"):
            theirs = torch.stack([getattr(one, name) for one in alone])
            padding = theirs[0] == torch.finfo(torch.float32).min
            assert padding.any()
            assert (getattr(output, name)[padding] == torch.finfo(torch.float32).min).all()
            torch.testing.assert_close(getattr(output, name)[~padding], theirs[:, ~padding].mean(dim=0))
        assert output.token_states[0].equal(alone[0].token_states[0])

    def test_in_bfloat16_padding_is_told_by_the_same_value(
        self, teacher: DeFormerForQuestionAnswering, others: list[DeFormerForQuestionAnswering], features: Any
    ) -> None:
        inputs, asked = batch_of(features, 0, 1)
        output = Teacher(teacher, 0, ensemble=others, bf16=True)(inputs, asked)
        alone = Teacher(teacher, 0, bf16=True)(inputs, asked)
        least = torch.finfo(torch.bfloat16).min
        assert output.start_logits.dtype == torch.bfloat16
        assert (output.start_logits == least).equal(alone.start_logits == least)

    def test_what_is_kept_is_of_these_models(
        self,
        teacher: DeFormerForQuestionAnswering,
        others: list[DeFormerForQuestionAnswering],
        features: Any,
        tmp_path: Path,
    ) -> None:
        batch = batch_of(features, 0, 1)
        right = Teacher(teacher, 1, ensemble=others)(*batch)
        kept = TeacherOutputStore(tmp_path, features, teacher, 1, ensemble=others)
        assert_same(Teacher(teacher, 1, ensemble=others, kept=kept)(*batch), right)
        found = [
            TeacherOutputStore(tmp_path, features, teacher, 1, ensemble=ensemble).read([0], 64, torch.device("cpu"))
            for ensemble in (others, others[:1], [])
        ]
        assert [output is not None for output in found] == [True, False, False]


@pytest.mark.parametrize("layers", [0, 1, 4])
def test_kept_equals_asked_in_batches_of_other_shapes(
    teacher: DeFormerForQuestionAnswering, features: Any, tmp_path: Path, layers: int
) -> None:
    kept = TeacherOutputStore(tmp_path, features, teacher, layers)
    keeping = Teacher(teacher, layers, kept=kept)
    keeping(*batch_of(features, 0, 1))
    keeping(*batch_of(features, 3, 2))
    for numbers in ((2, 0, 3), (1, 2), (0,)):
        inputs, asked = batch_of(features, *numbers)
        known = kept.read(asked, inputs["passage_ids"].shape[1], torch.device("cpu"))
        assert known is not None
        assert len(known.token_states) == layers
        assert_same(known, Teacher(teacher, layers)(inputs, asked))


def test_what_is_computed_is_what_is_kept(teacher: DeFormerForQuestionAnswering, features: Any, tmp_path: Path) -> None:
    """A run that was stopped reads what another computes: both are to end with the same weights."""
    keeping = Teacher(teacher, 1, kept=TeacherOutputStore(tmp_path, features, teacher, 1))
    computed, read = (keeping(*batch_of(features, 0, 1)) for _ in range(2))
    assert computed.start_logits.equal(read.start_logits)
    assert computed.end_logits.equal(read.end_logits)
    assert computed.token_states[0].equal(read.token_states[0])


def test_a_batch_with_an_unknown_feature_is_asked(
    teacher: DeFormerForQuestionAnswering, features: Any, tmp_path: Path
) -> None:
    kept = TeacherOutputStore(tmp_path, features, teacher, 1)
    Teacher(teacher, 1, kept=kept)(*batch_of(features, 0))
    assert kept.read([0, 1], 64, torch.device("cpu")) is None
    assert kept.read([0], 64, torch.device("cpu")) is not None


@pytest.mark.parametrize("name", ["logits", "layer-4"])
def test_a_damaged_record_is_asked_again(
    teacher: DeFormerForQuestionAnswering, features: Any, tmp_path: Path, name: str
) -> None:
    kept = TeacherOutputStore(tmp_path, features, teacher, 1)
    keeping = Teacher(teacher, 1, kept=kept)
    inputs, asked = batch_of(features, 0, 1)
    right = keeping(inputs, asked)
    with (kept.path / name).open("r+b") as file:
        file.seek(11)
        file.write(b"\x00\xff")
    assert kept.read([0], 64, torch.device("cpu")) is None
    assert_same(keeping(inputs, asked), right)
    assert kept.read([0], 64, torch.device("cpu")) is not None


def test_is_found_again_by_the_same_teacher_alone(
    teacher: DeFormerForQuestionAnswering, make_tiny_bert: Any, features: Any, tmp_path: Path
) -> None:
    Teacher(teacher, 2, kept=TeacherOutputStore(tmp_path, features, teacher, 2))(*batch_of(features, 0))
    # a student with one layer more above its cut finds but a part
    Teacher(teacher, 3, kept=TeacherOutputStore(tmp_path, features, teacher, 3))(*batch_of(features, 1))
    other = DeFormerForQuestionAnswering.from_pretrained(make_tiny_bert(7), 0)
    found = [
        TeacherOutputStore(tmp_path, *arguments).read([0], 64, torch.device("cpu")) is not None
        for arguments in (
            (features, teacher, 2),
            (features, teacher, 1),
            (features, teacher, 3),
            (features, other, 2),
            (features[:3], teacher, 2),
        )
    ]
    assert found == [True, True, False, False, False]


def test_a_full_disk_is_told_beforehand(
    teacher: DeFormerForQuestionAnswering, features: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 100))  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"take [\d,]+ bytes more and .* has 100 left"):
        TeacherOutputStore(tmp_path, features, teacher, 4)
