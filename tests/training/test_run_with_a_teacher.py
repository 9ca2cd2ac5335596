"""A run that learns from a teacher."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageTokenizer, load_encoder, load_tokenizer
from haystack_deformer.squad import load_squad
from haystack_deformer.training import run as run_module
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.distillation import kd_loss
from haystack_deformer.training.features import SquadFeatures, collate
from haystack_deformer.training.run import train
from haystack_deformer.training.teacher import Teacher
from tests.training.weights import weights


def assert_alike(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor], atol: float) -> None:
    """The head's bias moves all columns alike: AdamW makes steps of its gradient's rounding errors, ten of 1e-3."""
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=0, atol=2e-2 if name == "qa_outputs.bias" else atol)


@pytest.fixture(scope="module")
def teacher(config: TrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    # long enough to say something else than the student does before it has learnt
    train(replace(config, lower_layers=0, seed=7, num_train_epochs=20), folder, progress_bar=False)
    return folder


def test_distils_and_keeps_the_settings_beside_the_weights(
    config: TrainingConfig, teacher: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    settings = replace(config, teacher=str(teacher))
    train(settings, tmp_path, progress_bar=False)
    plain = weights(uninterrupted)
    assert any(not torch.equal(tensor, plain[name]) for name, tensor in weights(tmp_path).items())
    assert json.loads((tmp_path / "training_config.json").read_text())["kd_weight"] == 1.1


def test_says_what_each_loss_a_step_and_memory_are(config: TrainingConfig, teacher: Path, tmp_path: Path) -> None:
    train(replace(config, teacher=str(teacher), max_steps=50), tmp_path, progress_bar=False)
    state = json.loads(next((tmp_path / "checkpoints").glob("*/trainer_state.json")).read_text())
    logged = state["log_history"][0]
    parts = (0.7 * logged["ce_loss"], 1.1 * logged["kd_loss"], 0.5 * logged["lrs_loss"])
    assert min(parts) > 0
    assert logged["loss"] == pytest.approx(sum(parts), rel=1e-2)
    assert logged["seconds_per_step"] > 0
    assert logged["memory_mb"] > 100


def test_from_its_teacher_alone_a_student_comes_near_it(config: TrainingConfig, teacher: Path, tmp_path: Path) -> None:
    """No label is seen: what the student learns, it has from the teacher."""
    settings = replace(
        config, teacher=str(teacher), ce_weight=0.0, learning_rate=3e-3, max_steps=80, batch_size=9, unlabelled=()
    )
    student = train(settings, tmp_path, progress_bar=False)
    passages = PassageTokenizer(load_tokenizer(teacher), student.deformer_config, student.backbone)
    batch = collate(SquadFeatures(load_squad(config.train)[0], passages, progress_bar=False).features)
    taught = DeFormerForQuestionAnswering.from_pretrained(teacher)
    before = DeFormerForQuestionAnswering.from_pretrained(config.model, config.lower_layers)
    with torch.inference_mode():
        far, near = (float(kd_loss(model(**batch), taught(**batch), 2.0)) for model in (before, student.eval()))
    assert near < far / 10


def test_learns_from_an_ensemble(config: TrainingConfig, teacher: Path, uninterrupted: Path, tmp_path: Path) -> None:
    """Of the teacher and a model of another cut."""
    settings = replace(config, teacher=str(teacher))
    train(settings, tmp_path / "alone", progress_bar=False)
    settings = replace(settings, ensemble=(str(uninterrupted),))
    train(settings, tmp_path / "of-two", progress_bar=False)
    alone = weights(tmp_path / "alone")
    assert any(not torch.equal(tensor, alone[name]) for name, tensor in weights(tmp_path / "of-two").items())
    # what it says is its own: another model in the same place is another run
    digests = json.loads((tmp_path / "of-two" / "training_config.json").read_text())["inputs"]
    assert {str(teacher), str(uninterrupted)} <= digests.keys()
    for values, output, message in (
        ({"teacher": None}, tmp_path / "none", "An ensemble is of a teacher and others: give `teacher`"),
        ({}, uninterrupted, "is in the ensemble of the run, which would be written over"),
    ):
        with pytest.raises(ValueError, match=message):
            train(replace(settings, **values), output, progress_bar=False)


def test_kept_outputs_of_the_teacher_teach_the_same(
    config: TrainingConfig, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher runs in the first epoch of the first run alone."""
    calls = []

    class Counting(Teacher):
        def __init__(self, model: Any, layers: int, **kwargs: Any) -> None:
            super().__init__(model, layers, **kwargs)
            model.register_forward_pre_hook(lambda *_: calls.append(1))

    monkeypatch.setattr(run_module, "Teacher", Counting)
    settings = replace(config, teacher=str(teacher))
    train(settings, tmp_path / "asked", progress_bar=False)
    asked = len(calls)
    train(settings, tmp_path / "first", teacher_outputs=tmp_path / "kept", progress_bar=False)
    first = len(calls) - asked
    train(settings, tmp_path / "second", teacher_outputs=tmp_path / "kept", progress_bar=False)
    assert (asked, first, len(calls) - asked - first) == (10, 5, 0)
    for folder in ("first", "second"):
        assert_alike(weights(tmp_path / folder), weights(tmp_path / "asked"), 2e-3)


def test_a_climbing_cut_compares_the_layers_that_are_kept(
    config: TrainingConfig, teacher: Path, tmp_path: Path
) -> None:
    settings = replace(config, teacher=str(teacher), lower_layers=3, cut_warmup_ratio=0.6)
    train(settings, tmp_path / "asked", progress_bar=False)
    for folder in ("first", "second"):
        train(settings, tmp_path / folder, teacher_outputs=tmp_path / "kept", progress_bar=False)
    # at the lower cuts the student has more layers than the last one, which is compared
    for folder in ("first", "second"):
        assert_alike(weights(tmp_path / folder), weights(tmp_path / "asked"), 5e-3)


def test_frozen_lower_layers_keep_the_index_valid(
    config: TrainingConfig, teacher: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    before = load_encoder(uninterrupted)
    settings = replace(config, model=str(uninterrupted), teacher=str(teacher), freeze_lower=True)
    train(settings, tmp_path, progress_bar=False)
    saved = load_encoder(tmp_path)
    assert saved.fingerprint == before.fingerprint
    assert not torch.equal(saved.model.backbone.head.weight, before.model.backbone.head.weight)


@pytest.mark.parametrize(
    ("values", "dtype", "message"),
    [
        ({"max_seq_len": 70}, None, "max_seq_len=62, doc_stride=20, max_question_length=20"),
        ({"doc_stride": 10}, None, "with the lengths of that model alone: .* doc_stride=20"),
        ({}, torch.float16, r"torch\.float16 would round the frozen layers"),
    ],
    ids=["window", "stride", "fp16"],
)
def test_frozen_lower_layers_that_would_make_another_index(
    config: TrainingConfig,
    uninterrupted: Path,
    tmp_path: Path,
    values: dict[str, Any],
    dtype: torch.dtype | None,
    message: str,
) -> None:
    settings = replace(config, model=str(uninterrupted), freeze_lower=True, **values)
    with pytest.raises(ValueError, match=message):
        train(settings, tmp_path / "output", dtype=dtype, progress_bar=False)
    assert not (tmp_path / "output").exists()


def test_unlabelled_questions_want_a_teacher(config: TrainingConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only be learnt from a teacher"):
        train(replace(config, unlabelled=config.train), tmp_path / "output", progress_bar=False)
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    ("name", "value"), [("ce_weight", 0.0), ("kd_weight", 5.0), ("lrs_weight", 9.0), ("temperature", 7.0)]
)
def test_what_says_how_to_learn_from_a_teacher_wants_one(
    config: TrainingConfig, tmp_path: Path, name: str, value: float
) -> None:
    alone = replace(config, **{"teacher": None, "unlabelled": (), name: value})
    with pytest.raises(ValueError, match=f"give `teacher` beside {name}={value}"):
        train(alone, tmp_path, progress_bar=False)
    assert list(tmp_path.iterdir()) == []


def test_kept_outputs_want_a_teacher(config: TrainingConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no outputs to keep without a teacher"):
        train(config, tmp_path / "output", teacher_outputs=tmp_path / "kept", progress_bar=False)
    assert not (tmp_path / "kept").exists()


def test_a_cut_teacher_is_refused(config: TrainingConfig, uninterrupted: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"teacher is cut at lower_layers=2.*--lower-layers 0"):
        train(replace(config, teacher=str(uninterrupted)), tmp_path / "output", progress_bar=False)
    assert not (tmp_path / "output").exists()


def test_unlabelled_questions_take_part(config: TrainingConfig, teacher: Path, data: Path, tmp_path: Path) -> None:
    content = json.loads(data.read_text())
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                del question["answers"]
    (tmp_path / "unlabelled.json").write_text(json.dumps(content))
    settings = replace(config, teacher=str(teacher), unlabelled=(str(tmp_path / "unlabelled.json"),))
    train(settings, tmp_path / "both", progress_bar=False)
    train(replace(settings, unlabelled=()), tmp_path / "labelled", progress_bar=False)
    labelled = weights(tmp_path / "labelled")
    assert any(not torch.equal(tensor, labelled[name]) for name, tensor in weights(tmp_path / "both").items())
