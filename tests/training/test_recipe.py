"""One call from a checkpoint to a student with its figures, which goes on where it was stopped."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.squad import load_squad, split_held_out
from haystack_deformer.training import recipe, run
from haystack_deformer.training.averaging import average
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.mixing import make_mixed_file
from haystack_deformer.training.recipe import distil

CITIES = {"paris": "france", "berlin": "germany", "python": "reader"}


@pytest.fixture(scope="module")
def config(make_tiny_bert: Any, write_squad: Any, make_config: Any) -> TrainingConfig:
    paragraphs = [
        {
            "context": f"{capital} is the capital of {country} {'the ' * number}",
            "qas": [
                {
                    "id": f"{capital}-{number}",
                    "question": f"what is the capital of {country}",
                    "answers": [{"text": capital, "answer_start": 0}],
                }
            ],
        }
        for number in range(6)
        for capital, country in CITIES.items()
    ]
    return make_config(
        make_tiny_bert(layers=3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),
        write_squad(paragraphs, "cities.json"),
        learning_rate=3e-3,
        max_steps=20,
        batch_size=8,
        held_out=0.3,
    )


def test_teacher_student_and_card(config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "student"
    card = distil(config, output, progress_bar=False).read_text()
    assert DeFormerForQuestionAnswering.from_pretrained(output / "teacher").lower_layers == 0
    assert DeFormerForQuestionAnswering.from_pretrained(output).lower_layers == 2
    kept = json.loads((output / "training_config.json").read_text())
    assert kept["model"] == kept["teacher"] == str(output / "teacher")
    held_out = split_held_out(load_squad(config.train)[0], 0.3)[1]
    assert f"On {len(held_out)} questions of the held-out 30% of the training files' passages" in card
    assert f"- Started from: `{Path(config.model).name}`\n" in card
    # where a user keeps things is nobody else's, and of no use to anybody
    assert str(Path(config.model).parent) not in card
    assert str(tmp_path) not in card
    assert "Ensemble" not in card
    assert "cities.json" in card
    lines = [line for line in card.splitlines() if line.startswith(("| teacher", "| k = 2"))]
    assert [line.split("|")[2].strip(" `") for line in lines] == ["", "SQfp16", "SQ8", "SQ4"]
    # the tiny student learnt the task, so that the figures are of this model and no other
    assert float(lines[1].split("|")[4]) > 50

    # again: nothing is trained, the figures are the same
    monkeypatch.setattr(run, "DeFormerTrainer", lambda *_, **__: pytest.fail("it was trained already"))
    assert distil(config, output, progress_bar=False).read_text() == card

    # the weights are written anew where they are wanted smaller
    distil(config, output, dtype=torch.float16, progress_bar=False)
    assert {tensor.dtype for tensor in load_file(output / "model.safetensors").values()} == {torch.float16}


def test_goes_on_after_the_teacher(config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[tuple[int, Path]] = []

    def interrupted(**values: Any) -> Any:
        trained.append((values["config"].lower_layers, Path(values["args"].output_dir).parent))
        if values["config"].lower_layers:
            raise KeyboardInterrupt
        return original(**values)

    original = run.DeFormerTrainer
    monkeypatch.setattr(run, "DeFormerTrainer", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            distil(replace(config, max_steps=1), tmp_path, teacher_epochs=2, progress_bar=False)
    assert trained == [(0, tmp_path / "teacher"), (2, tmp_path), (2, tmp_path)]
    # the student's steps are not the teacher's: two passes over what is not held out, eight questions a step
    state = next((tmp_path / "teacher" / "checkpoints").glob("*/trainer_state.json"))
    questions = len(split_held_out(load_squad(config.train)[0], 0.3)[0])
    assert json.loads(state.read_text())["global_step"] == 2 * -(-questions // 8) > 1


def test_a_teacher_that_is_there_is_taken(config: TrainingConfig, tmp_path: Path) -> None:
    distil(replace(config, max_steps=2), tmp_path / "first", progress_bar=False)
    settings = replace(config, max_steps=2, lower_layers=1)
    card = distil(
        settings,
        tmp_path / "second",
        teacher=tmp_path / "first" / "teacher",
        eval_data=config.train,
        progress_bar=False,
    )
    assert not (tmp_path / "second" / "teacher").exists()
    text = card.read_text()
    assert "On 18 questions of cities.json" in text
    assert "- Started from: `teacher`\n" in text


def test_questions_without_labels_are_the_students_alone(
    config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[TrainingConfig] = []
    original = recipe.train
    monkeypatch.setattr(
        recipe,
        "train",
        lambda settings, *args, **values: (trained.append(settings), original(settings, *args, **values)),
    )
    distil(replace(config, max_steps=1, unlabelled=config.train), tmp_path, progress_bar=False)
    assert [settings.unlabelled for settings in trained] == [(), config.train]


def test_questions_made_of_held_out_passages_are_refused(config: TrainingConfig, tmp_path: Path) -> None:
    """Before the teacher's hours; a larger share has none of them."""
    for share in (0.2, 0.4):
        make_mixed_file(load_squad(config.train)[0], tmp_path / f"{share}.json", held_out=share, progress_bar=False)
    settings = replace(config, max_steps=1, unlabelled=(str(tmp_path / "0.2.json"),))
    with pytest.raises(ValueError, match=r"0\.2\.json' was made with held_out=0\.2, .* holds out \(held_out=0\.3\)"):
        distil(settings, tmp_path / "output", progress_bar=False)
    assert not (tmp_path / "output").exists()
    card = distil(replace(settings, unlabelled=(str(tmp_path / "0.4.json"),)), tmp_path / "output", progress_bar=False)
    assert "- Questions that the teacher alone answers: `0.4.json`\n" in card.read_text()


def test_figures_are_not_from_what_the_teacher_was_trained_on(
    config: TrainingConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    teacher = tmp_path / "teacher"
    recipe.train(replace(config, lower_layers=0, max_steps=1, held_out=0.1), teacher, progress_bar=False)
    settings = replace(config, max_steps=1)
    with pytest.raises(ValueError, match=r"was trained with held_out=0\.1, .* give eval_data, or .* held_out=0\.3"):
        distil(settings, tmp_path / "output", teacher=teacher, progress_bar=False)
    assert not (tmp_path / "output").exists()
    (teacher / "training_config.json").unlink()
    distil(settings, tmp_path / "output", teacher=teacher, progress_bar=False)
    assert "has seen the held-out passages is not known" in caplog.text


def test_figures_are_not_from_what_an_earlier_model_was_trained_on(
    config: TrainingConfig, write_squad: Any, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    plain = replace(config, lower_layers=0, max_steps=1)
    recipe.train(replace(plain, held_out=0.0), first, progress_bar=False)
    recipe.train(replace(plain, model=str(first)), second, progress_bar=False)
    with pytest.raises(ValueError, match=r"first' was trained with held_out=0\.0"):
        distil(replace(config, model=str(second)), tmp_path / "output", progress_bar=False)
    with pytest.raises(ValueError, match=r"first' was trained with held_out=0\.0"):
        distil(replace(config, ensemble=(str(second),)), tmp_path / "output", progress_bar=False)
    # other passages than these were seen
    others = Path(config.train[0]).with_name("others.json")
    others.write_text(Path(config.train[0]).read_text().replace("is the capital", "was the capital"))
    distil(
        replace(config, model=str(second), train=(str(others),), max_steps=1), tmp_path / "output", progress_bar=False
    )


def test_figures_are_not_from_what_the_same_file_compressed_was_for(config: TrainingConfig, tmp_path: Path) -> None:
    teacher, compressed = tmp_path / "teacher", tmp_path / "cities.json.gz"
    recipe.train(replace(config, lower_layers=0, max_steps=1, held_out=0.0), teacher, progress_bar=False)
    compressed.write_bytes(gzip.compress(Path(config.train[0]).read_bytes()))
    with pytest.raises(ValueError, match=r"was trained with held_out=0\.0"):
        distil(replace(config, train=(str(compressed),)), tmp_path / "output", teacher=teacher, progress_bar=False)


def test_figures_are_not_from_what_a_part_of_a_mean_was_trained_on(
    config: TrainingConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = replace(config, lower_layers=0, max_steps=1)
    for name, share in (("a", 0.0), ("b", config.held_out), ("unknown", config.held_out)):
        recipe.train(replace(plain, held_out=share), tmp_path / name, progress_bar=False)
    average([tmp_path / "b", tmp_path / "a"], tmp_path / "mean")
    with pytest.raises(ValueError, match=r"a' was trained with held_out=0\.0"):
        distil(replace(config, ensemble=(str(tmp_path / "mean"),)), tmp_path / "output", progress_bar=False)
    (tmp_path / "unknown" / "training_config.json").unlink()
    average([tmp_path / "b", tmp_path / "unknown"], tmp_path / "mean")
    distil(
        replace(config, ensemble=(str(tmp_path / "mean"),), max_steps=1),
        tmp_path / "output",
        teacher=tmp_path / "b",
        progress_bar=False,
    )
    assert f"Whether {tmp_path / 'unknown'} has seen" in caplog.text
    assert "- Ensemble beside it: `mean`\n" in (tmp_path / "output" / "README.md").read_text()


def test_figures_from_what_is_trained_on_say_so(
    config: TrainingConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    card = distil(replace(config, max_steps=1), tmp_path, eval_data=config.train, progress_bar=False)
    trained = len(split_held_out(load_squad(config.train)[0], config.held_out)[0])
    assert 0 < trained < 18
    assert f"{trained} of the 18 questions" in caplog.text
    assert f"On 18 questions of cities.json, {trained} of them on passages that were trained on" in card.read_text()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lower_layers": 0}, "lower_layers=0 is the teacher"),
        ({"held_out": 0.0}, r"No passage is held out \(held_out=0\.0\)"),
        ({"freeze_lower": True}, "freeze_lower=True keeps the lower layers .* give a teacher"),
        ({"lower_layers": 99}, "lower_layers=99"),
        ({"unlabelled": ("missing.json",)}, r"missing\.json"),
    ],
)
def test_refused_before_anything_is_trained(
    config: TrainingConfig, tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        distil(replace(config, **values), tmp_path / "output", progress_bar=False)
    assert not (tmp_path / "output").exists()


def test_several_processes_are_refused(config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="distil runs in one process"):
        distil(config, tmp_path / "output", progress_bar=False)


def test_the_settings_teacher_is_taken(config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = tmp_path / "teacher"
    recipe.train(replace(config, lower_layers=0, max_steps=1), teacher, progress_bar=False)
    trained: list[Path] = []
    real = recipe.train
    monkeypatch.setattr(
        recipe, "train", lambda settings, output, **rest: (trained.append(output), real(settings, output, **rest))
    )
    distil(replace(config, teacher=str(teacher), max_steps=1), tmp_path / "output", progress_bar=False)
    assert trained == [tmp_path / "output"]


def test_what_is_trained_already_is_not_rounded_unasked(
    config: TrainingConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    teacher, output = tmp_path / "teacher", tmp_path / "output"
    recipe.train(replace(config, lower_layers=0, max_steps=1), teacher, progress_bar=False)
    frozen = replace(config, freeze_lower=True, max_steps=1)
    distil(frozen, output, teacher=teacher, progress_bar=False)
    written = (output / "model.safetensors").read_bytes()
    with pytest.raises(ValueError, match="would round the frozen layers"):
        distil(frozen, output, teacher=teacher, dtype=torch.float16, progress_bar=False)
    assert (output / "model.safetensors").read_bytes() == written
    distil(replace(config, max_steps=1), tmp_path / "half", teacher=teacher, dtype=torch.float16, progress_bar=False)
    assert "what was rounded" not in caplog.text
    distil(replace(config, max_steps=1), tmp_path / "half", teacher=teacher, progress_bar=False)
    assert "are in torch.float16, and what was rounded does not come back" in caplog.text


def test_epochs_of_a_teacher_that_is_trained_already(config: TrainingConfig, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'some/teacher' is trained already, and teacher_epochs=2 of no use"):
        distil(config, tmp_path, teacher="some/teacher", teacher_epochs=2)


def test_the_teacher_learns_from_labels_whatever_the_student_does(
    config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[TrainingConfig] = []

    def stop(settings: TrainingConfig, *_: Any, **__: Any) -> None:
        runs.append(settings)
        if settings.teacher is not None:
            raise KeyboardInterrupt

    monkeypatch.setattr(recipe, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        distil(replace(config, ce_weight=0.0, kd_weight=5.0), tmp_path, progress_bar=False)
    assert [(settings.ce_weight, settings.kd_weight) for settings in runs] == [(0.7, 1.1), (0.0, 5.0)]
