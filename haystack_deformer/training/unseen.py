"""Whether the passages that figures are taken from were trained on."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from haystack_deformer.squad import SquadExample, is_held_out, load_passages, load_squad, split_held_out
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.data import load_unlabelled
from haystack_deformer.training.settings_file import (
    PARTS_FILE,
    SETTINGS_FILE,
    files_as_they_were,
    read_settings,
    shares_data,
)

logger = logging.getLogger(__name__)


def check_unseen(start: str, config: TrainingConfig, asked: Sequence[SquadExample]) -> None:
    """
    Refuse figures on held-out passages that a model, or one that it comes from, was trained on.

    A warning names each model of which that cannot be told: one of others, one that is not where it was, or one whose
    data is not.

    :param start: what the student, or its teacher, begins with.
    :param config: the student's settings.
    :param asked: the questions on held-out passages.
    :raises ValueError: names the model that has seen them.
    """
    passages = {example.context for example in asked}
    ahead, followed = [start, *config.ensemble], set()
    while ahead:
        name = ahead.pop()
        folder = Path(name)
        # a model's own teacher may be what it began with, and a folder what another run began with and wrote
        if folder.resolve() in followed:
            continue
        followed.add(folder.resolve())
        if (folder / PARTS_FILE).is_file():
            ahead += json.loads((folder / PARTS_FILE).read_text(encoding="utf-8"))["models"]
        elif (folder / SETTINGS_FILE).is_file():
            begun = read_settings(folder / SETTINGS_FILE)
            seen = begun["held_out"] < config.held_out and _has_learnt_from(passages, config, begun)
            if seen is None:
                _warn_of_unknown(name)
            elif seen:
                msg = (
                    f"{name!r} was trained with held_out={begun['held_out']}, and the figures would be from passages "
                    f"that it has seen (held_out={config.held_out}): give eval_data, or train it with "
                    f"held_out={config.held_out}."
                )
                raise ValueError(msg)
            ahead += [other for other in (begun["model"], begun["teacher"], *begun["ensemble"]) if other is not None]
        else:
            _warn_of_unknown(name)


def count_seen(asked: Sequence[SquadExample], config: TrainingConfig) -> int:
    """
    Questions on passages that are trained on, with labels or without, told in a warning.

    :param asked: what figures are to be taken from.
    :param config: the student's settings.
    """
    examples = load_squad(config.train, keep_misplaced=True)[0]
    if config.unlabelled:
        examples += load_unlabelled(config)
    passages = {example.context for example in split_held_out(examples, config.held_out)[0]}
    seen = sum(example.context in passages for example in asked)
    if seen:
        logger.warning(
            "%d of the %d questions that figures are taken from are on passages that are trained on.", seen, len(asked)
        )
    return seen


def _has_learnt_from(passages: set[str], config: TrainingConfig, begun: dict[str, Any]) -> bool | None:
    """Whether a run that held out less has; None where its files would tell and are not there any more."""
    if shares_data(config, begun):
        return True
    # the same passages may be in other files, of which the student's are a part
    files = files_as_they_were(begun)
    if files is None:
        return None
    return any(
        passage in passages and not is_held_out(passage, begun["held_out"])
        for path in files
        for passage in load_passages(path)
    )


def _warn_of_unknown(name: str) -> None:
    logger.warning("Whether %s has seen the held-out passages is not known: the figures hold if it has not.", name)
