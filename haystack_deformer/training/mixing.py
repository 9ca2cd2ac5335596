"""
Real questions on passages that nobody wrote: sentences of two like passages in one, for a teacher to answer.

A question that comes again on the passage it was asked of is soon learnt by heart; here it comes with other sentences
around its answer, or with its answer gone. As Jia and Liang, "Adversarial Examples for Evaluating Reading Comprehension
Systems", EMNLP 2017, put a sentence into a passage that only looks like the answer, but with sentences that were
written, and with a teacher in place of labels.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from random import Random

from tqdm.auto import tqdm

from haystack_deformer.squad import SquadExample, check_held_out, save_questions, split_held_out
from haystack_deformer.training.cloze import passage_rng, split_sentences
from haystack_deformer.training.negatives import similar_passages

_GUESTS = 4
"""One question of so many is the other passage's."""


def make_mixed_file(
    examples: Sequence[SquadExample],
    path: str | os.PathLike[str],
    *,
    per_passage: int = 8,
    held_out: float = 0.0,
    seed: int = 0,
    progress_bar: bool = True,
) -> int:
    """
    Write a file in SQuAD format, without answers, with each passage mixed with a like one.

    About half of each stays, in the order it had, so that the mixture is as long as a passage is.

    :param examples: questions on passages.
    :param path: file to write; one that ends in .gz is compressed.
    :param per_passage: questions on a mixture, at most.
    :param held_out: share of the passages that none is mixed of, which the file records: `train` refuses to hold out
        more beside it, since a mixture does not show whose sentences it has.
    :param seed: decides which passages, sentences and questions.
    :param progress_bar: whether to show one.
    :return: questions written.
    :raises ValueError: where no passage is like another, or `per_passage` is below 1.
    """
    if per_passage < 1:
        msg = f"per_passage must be at least 1, got {per_passage}."
        raise ValueError(msg)
    check_held_out(held_out)
    questions: defaultdict[str, list[str]] = defaultdict(list)
    for example in split_held_out(examples, held_out)[0]:
        questions[example.context].append(example.question)
    passages = list(questions)
    asked = []
    like = similar_passages(passages, passages)
    for number, similar in enumerate(
        tqdm(like, total=len(passages), desc="Mixing", unit=" passages", disable=not progress_bar)
    ):
        rng = passage_rng(seed, passages[number])
        others = [other for other in similar if other != number]
        if others:
            host, guest = passages[number], passages[rng.choice(others)]
            guests = max(1, per_passage // _GUESTS)
            drawn = [
                *_some(questions[host], max(1, per_passage - guests), rng),
                *_some(questions[guest], guests, rng),
            ]
            asked.append((_mix(host, guest, rng), list(dict.fromkeys(drawn))[:per_passage]))
    if not asked:
        msg = (
            f"None of these {len(passages)} passages shares a word with another: they cannot be mixed "
            f"(held_out={held_out})."
        )
        raise ValueError(msg)
    return save_questions(asked, path, name="mixed", held_out=held_out)


def _mix(host: str, guest: str, rng: Random) -> str:
    """A run of one's sentences, with a run of the other's between two of them, or at an end."""
    ours, theirs = (_run(split_sentences(passage), rng) for passage in (host, guest))
    if rng.random() < 0.5:
        ours, theirs = theirs, ours
    place = rng.randint(0, len(ours))
    return " ".join([*ours[:place], *theirs, *ours[place:]])


def _run(sentences: Sequence[str], rng: Random) -> Sequence[str]:
    """About half of the sentences, next to each other: what refers to the one before mostly still can."""
    count = max(1, round(len(sentences) * rng.uniform(0.3, 0.8)))
    start = rng.randint(0, len(sentences) - count)
    return sentences[start : start + count]


def _some(questions: Sequence[str], count: int, rng: Random) -> list[str]:
    return rng.sample(questions, min(count, len(questions)))
