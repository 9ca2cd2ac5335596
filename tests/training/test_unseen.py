"""Whether figures are from passages that were trained on, told from what runs keep beside their models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from haystack_deformer.squad import SquadExample, load_squad, split_held_out
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.settings_file import save_settings
from haystack_deformer.training.unseen import check_unseen, count_seen

UNKNOWN = "has seen the held-out passages is not known"


def write_passages(path: Path, numbers: range) -> str:
    """A question on each."""
    qas = [{"id": "1", "question": "Which one?", "answers": []}]
    paragraphs = [{"context": f"Passage {number}.", "qas": qas} for number in numbers]
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    return str(path)


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    """The student's settings: a third of thirty passages is held out."""
    data = write_passages(tmp_path / "part.json", range(30))
    return TrainingConfig(model=str(tmp_path / "teacher"), train=(data,), lower_layers=2, held_out=0.3)


@pytest.fixture
def asked(config: TrainingConfig) -> list[SquadExample]:
    held_out = split_held_out(load_squad(config.train)[0], config.held_out)[1]
    assert held_out
    return held_out


def teacher_of(config: TrainingConfig, *files: str, base: str | Path, unlabelled: tuple[str, ...] = ()) -> str:
    """A folder with what a run leaves that held nothing out."""
    save_settings(
        replace(config, model=str(base), lower_layers=0, train=files, unlabelled=unlabelled, held_out=0.0), config.model
    )
    return config.model


@pytest.fixture
def base(config: TrainingConfig, tmp_path: Path) -> Path:
    """Known to have seen other passages alone."""
    others = write_passages(tmp_path / "others.json", range(100, 120))
    save_settings(replace(config, model=str(tmp_path / "base"), train=(others,), held_out=0.0), tmp_path / "base")
    return tmp_path / "base"


def test_other_passages_are_none_of_those(
    config: TrainingConfig, asked: list[SquadExample], base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check_unseen(str(base), config, asked)
    assert UNKNOWN not in caplog.text


@pytest.mark.parametrize("labelled", [True, False])
def test_a_file_with_more_passages_has_these_as_well(
    config: TrainingConfig, asked: list[SquadExample], base: Path, tmp_path: Path, labelled: bool
) -> None:
    whole, others = write_passages(tmp_path / "whole.json", range(90)), str(tmp_path / "others.json")
    files = {"unlabelled": ()} if labelled else {"unlabelled": (whole,)}
    teacher = teacher_of(config, whole if labelled else others, base=base, **files)
    with pytest.raises(ValueError, match=r"teacher' was trained with held_out=0\.0, .* seen \(held_out=0\.3\)"):
        check_unseen(teacher, config, asked)


@pytest.mark.parametrize("content", [None, '{"data": []}'], ids=["gone", "another"])
def test_a_file_that_is_not_what_it_was_may_have_had_them(
    config: TrainingConfig,
    asked: list[SquadExample],
    base: Path,
    tmp_path: Path,
    content: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = Path(write_passages(tmp_path / "whole.json", range(90)))
    teacher = teacher_of(config, str(whole), base=base)
    whole.unlink()
    if content is not None:
        whole.write_text(content)
    check_unseen(teacher, config, asked)
    assert f"Whether {teacher} {UNKNOWN}" in caplog.text


def test_a_model_that_was_moved_may_have_seen_them(
    config: TrainingConfig, asked: list[SquadExample], base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    teacher = teacher_of(config, str(tmp_path / "others.json"), base=base)
    base.rename(tmp_path / "elsewhere")
    check_unseen(teacher, config, asked)
    assert f"Whether {base} {UNKNOWN}" in caplog.text


def test_questions_without_labels_are_trained_on_as_well(
    config: TrainingConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evaluated = write_passages(tmp_path / "dev.json", range(200, 210))
    examples = load_squad(evaluated)[0]
    assert count_seen(examples, config) == 0
    assert not caplog.records
    kept = len(split_held_out(examples, config.held_out)[0])
    assert 0 < kept < 10
    assert count_seen(examples, replace(config, unlabelled=(evaluated,))) == kept
    assert f"{kept} of the 10 questions" in caplog.text
