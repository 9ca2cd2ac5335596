"""Passages that nothing is learnt from, the same ones in every run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from haystack_deformer.squad.examples import SquadExample


def split_held_out(examples: Iterable[SquadExample], share: float) -> tuple[list[SquadExample], list[SquadExample]]:
    """
    Divide questions by their passages, so that no passage is on both sides.

    :param examples: the questions.
    :param share: of the passages to hold out, 0 to 1. Which ones depends on their texts alone: the same passage falls
        on the same side in every file and every run, and a larger share holds out those of a smaller one as well.
    :return: the questions to train on and those held out.
    """
    sides: tuple[list[SquadExample], list[SquadExample]] = ([], [])
    for example in examples:
        sides[is_held_out(example.context, share)].append(example)
    return sides


def is_held_out(passage: str, share: float) -> bool:
    """
    Whether a passage is one of those that nothing is learnt from.

    :param passage: its text, which alone decides.
    :param share: of all passages, 0 to 1.
    """
    digest = hashlib.blake2b(passage.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def check_held_out(share: float) -> None:
    """
    Refuse what is no share of the passages, or leaves none to train on.

    :param share: to hold out.
    :raises ValueError: names it.
    """
    if not 0 <= share < 1:
        msg = f"held_out is a share of the passages from 0 up to 1, got {share}."
        raise ValueError(msg)
