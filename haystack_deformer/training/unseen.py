"""Whether the passages that figures are taken from were trained on."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from haystack_deformer.squad import SquadExample, load_squad, split_held_out
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.settings_file import PARTS_FILE, SETTINGS_FILE, read_settings, shares_data

logger = logging.getLogger(__name__)


def check_unseen(start: str, config: TrainingConfig) -> None:
    """
    Refuse figures on held-out passages that a model, or one that it comes from, was trained on.

    :param start: what the student, or its teacher, begins with.
    :param config: the student's settings.
    :raises ValueError: names the model that has seen them.
    """
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
            if begun["held_out"] < config.held_out and shares_data(config, begun):
                msg = (
                    f"{name!r} was trained with held_out={begun['held_out']}, and the figures would be from passages "
                    f"that it has seen (held_out={config.held_out}): give eval_data, or train it with "
                    f"held_out={config.held_out}."
                )
                raise ValueError(msg)
            ahead += [other for other in (begun["model"], begun["teacher"], *begun["ensemble"]) if other is not None]
        elif name == start or _is_trained_for_a_cut(folder):
            logger.warning(
                "Whether %s has seen the held-out passages is not known: the figures hold if it has not.", name
            )


def count_seen(asked: Sequence[SquadExample], config: TrainingConfig) -> int:
    """
    Questions on passages that are trained on, told in a warning.

    :param asked: what figures are to be taken from.
    :param config: the student's settings.
    """
    trained = split_held_out(load_squad(config.train, keep_misplaced=True)[0], config.held_out)[0]
    passages = {example.context for example in trained}
    seen = sum(example.context in passages for example in asked)
    if seen:
        logger.warning(
            "%d of the %d questions that figures are taken from are on passages that are trained on.", seen, len(asked)
        )
    return seen


def _is_trained_for_a_cut(folder: Path) -> bool:
    path = folder / "config.json"
    try:
        return path.is_file() and "deformer" in json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        # whoever loads it says what is wrong
        return False
