"""What a run learns from, read from its files."""

from __future__ import annotations

import logging

from haystack_deformer.passages import PassageTokenizer
from haystack_deformer.squad import SquadExample, load_squad, split_held_out
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.features import SquadFeatures
from haystack_deformer.training.negatives import hard_negatives

logger = logging.getLogger(__name__)


def load_unlabelled(config: TrainingConfig) -> list[SquadExample]:
    """
    The questions that are learnt from the teacher alone, those on held-out passages among them.

    :param config: the settings, with files of such questions.
    :raises ValueError: for a file that cannot be used, or for which less was held out than the run holds out.
    """
    examples, report = load_squad(config.unlabelled, labelled=False)
    for path, share in report.held_out.items():
        # a larger share holds out the passages of a smaller one as well
        if share < config.held_out:
            msg = (
                f"{path!r} was made with held_out={share}, and has sentences of passages that this run holds out "
                f"(held_out={config.held_out}): make it with held_out={config.held_out}, or train with "
                f"held_out={share}."
            )
            raise ValueError(msg)
    return examples


def training_features(config: TrainingConfig, passages: PassageTokenizer, *, progress_bar: bool) -> SquadFeatures:
    """
    The questions of a run in windows: those of its files but for the held-out ones, and hard negatives.

    :param config: the settings.
    :param passages: tokenizes them.
    :param progress_bar: whether to show one.
    :raises ValueError: for data that cannot be used.
    """
    examples: list[SquadExample] = load_squad(config.train)[0]
    if config.unlabelled:
        examples += load_unlabelled(config)
    examples, held_out = split_held_out(examples, config.held_out)
    if held_out:
        logger.info("%d questions on held-out passages take no part.", len(held_out))
    if config.hard_negatives:
        negatives = hard_negatives(
            examples,
            config.hard_negatives,
            labelled=config.teacher is None,
            seed=config.seed,
            progress_bar=progress_bar,
        )
        logger.log(logging.INFO if negatives else logging.WARNING, "%d hard negatives were found.", len(negatives))
        examples += negatives
    dataset = SquadFeatures(examples, passages, progress_bar=progress_bar)
    for why, ids in (
        ("whose answer is longer than a window's overlap and stands whole in none", dataset.unreachable),
        ("that have no token", dataset.unreadable),
    ):
        if ids:
            logger.warning("%d questions of %d %s are left out (%s).", len(ids), len(examples), why, ", ".join(ids[:3]))
    if not len(dataset):
        msg = f"No question of {', '.join(config.train)} is left to train on (held_out={config.held_out})."
        raise ValueError(msg)
    return dataset
