"""
Passages like a question's own that do not answer it: most of what a reader of retrieved passages sees.

Hard negatives as in Karpukhin et al., "Dense Passage Retrieval for Open-Domain Question Answering", EMNLP 2020, there
for a retriever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from tqdm.auto import tqdm

from haystack_deformer.squad import SquadExample

_MOST_SIMILAR = 10
"""Passages that a negative is drawn from: a reader gets about so many, and the first alone would be a few for all."""
_TOGETHER = 256
"""Questions compared with all passages at once, 20 MB for 20,000 passages."""
_COMMON = (1_000, 0.1)
"""Words in more passages than this, and in more than this share of them, tell few apart and are most of the work."""


def hard_negatives(
    examples: Sequence[SquadExample],
    per_question: float,
    *,
    labelled: bool,
    seed: int = 0,
    progress_bar: bool = True,
) -> list[SquadExample]:
    """
    Questions again, each on passages of the others that are most like it by TF-IDF.

    :param examples: questions on passages.
    :param per_question: passages for a question, on the average.
    :param labelled: whether these passages count as having no answer; those that hold one of the question's are left
        out, and questions without labels get none. False: a teacher is to say, of all.
    :param seed: decides which questions and which of the like passages.
    :param progress_bar: whether to show one.
    :return: fewer than asked for where there are not so many passages with a word of the question's.
    """
    rng = np.random.default_rng(seed)
    counts = np.floor(per_question + rng.random(len(examples))).astype(int)
    asked = [
        (example, count)
        for example, count in zip(examples, counts, strict=True)
        if count and (example.labelled or not labelled)
    ]
    passages = list(dict.fromkeys(example.context for example in examples))
    bar = tqdm(total=len(asked), desc="Finding negatives", unit=" questions", disable=not progress_bar)
    negatives: list[SquadExample] = []
    with bar:
        for (example, count), similar in zip(
            asked, similar_passages([e.question for e, _ in asked], passages), strict=True
        ):
            others = [
                passage
                for passage in (passages[number] for number in similar)
                if passage != example.context and not (labelled and _holds_answer(passage, example))
            ]
            chosen = rng.permutation(len(others))[:count]
            negatives.extend(
                replace(example, context=others[number], answers=(), gold=(), labelled=labelled) for number in chosen
            )
            bar.update()
    return negatives


def similar_passages(texts: Sequence[str], passages: Sequence[str]) -> Iterator[npt.NDArray[np.int64]]:
    """
    The passages most like each text by TF-IDF, a text that is one of them among its own.

    :param texts: questions or passages.
    :param passages: where to look.
    :return: for each text the numbers of up to eleven passages in ascending order; only such as share a word with it.
    :raises ValueError: where no word tells the passages apart.
    """
    if not texts:
        return
    vectorizer = TfidfVectorizer(
        max_df=max(_COMMON[0], int(_COMMON[1] * len(passages))), sublinear_tf=True, dtype=np.float32
    )
    try:
        vectors = vectorizer.fit_transform(passages).T.tocsr()
    except ValueError as error:
        # scikit-learn's own says "empty vocabulary" or "no terms remain", and nothing of passages
        msg = (
            f"No word tells these {len(passages)} passages apart, so that none is like another: hard_negatives=0, "
            "and no mixtures."
        )
        raise ValueError(msg) from error
    most = min(_MOST_SIMILAR + 1, len(passages))
    for start in range(0, len(texts), _TOGETHER):
        scores = (vectorizer.transform(texts[start : start + _TOGETHER]) @ vectors).toarray()
        for row, best in zip(scores, np.argpartition(-scores, most - 1, axis=1)[:, :most], strict=True):
            # in an order that does not depend on how the partition left them
            yield np.sort(best[row[best] > 0])


def _holds_answer(passage: str, example: SquadExample) -> bool:
    lowered = passage.lower()
    return any(answer.lower() in lowered for answer in example.gold)
