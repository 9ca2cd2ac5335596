"""Exact match and F1 of a model, by the way that a reader takes: states through the codec, then the upper layers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from tqdm import tqdm
from transformers.data.metrics.squad_metrics import get_raw_scores, squad_evaluate

from haystack_deformer.inference import PassageReader
from haystack_deformer.passages import PassageEncoder
from haystack_deformer.representations import Representations
from haystack_deformer.runtime import Runtime
from haystack_deformer.training.bootstrap import Difference, paired_bootstrap
from haystack_deformer.training.squad import SquadExample

logger = logging.getLogger(__name__)

_PASSAGES_AT_ONCE = 256


@dataclass(frozen=True)
class Evaluation:
    """
    How good a model is on some data.

    :param exact: percent of the questions whose answer is exactly one of the accepted.
    :param f1: mean overlap of words with the best of the accepted answers, in percent.
    :param total: questions.
    :param predictions: answers by question id; empty for "no answer".
    :param metrics: all that transformers' `squad_evaluate` says.
    :param exact_scores: 100 or 0 by question id.
    :param f1_scores: 0 to 100 by question id.
    """

    exact: float
    f1: float
    total: int
    predictions: dict[str, str]
    metrics: dict[str, float]
    exact_scores: dict[str, float]
    f1_scores: dict[str, float]


def evaluate(
    encoder: PassageEncoder,
    examples: Sequence[SquadExample],
    *,
    codec: str = "SQfp16",
    runtime: Runtime | None = None,
    batch_size: int = 50,
    no_answer: bool | None = None,
    progress_bar: bool = True,
) -> Evaluation:
    """
    Answer the questions of SQuAD-format files from stored states and compare by the official script's arithmetic.

    :param encoder: the model and its tokenizer.
    :param examples: from `load_squad`.
    :param codec: factory string of the codec that the states go through.
    :param runtime: runs the questions and the upper layers; None: PyTorch in fp32.
    :param batch_size: windows that run through the upper layers at once, at most.
    :param no_answer: whether "no answer" may be predicted; None: where the data has unanswerable questions.
    :param progress_bar: whether to show one.
    """
    if no_answer is None:
        no_answer = any(not example.gold for example in examples)
    predictions = _predict(
        encoder, examples, codec, runtime, batch_size, no_answer=no_answer, progress_bar=progress_bar
    )
    return score(examples, predictions)


def score(examples: Sequence[SquadExample], predictions: Mapping[str, str]) -> Evaluation:
    """
    Compare answers with the accepted ones by the official script's arithmetic.

    :param examples: from `load_squad`.
    :param predictions: answers by question id; empty for "no answer".
    :raises ValueError: where a question has no prediction; names it.
    """
    if missing := [example.id for example in examples if example.id not in predictions]:
        msg = f"{len(missing)} of {len(examples)} questions have no prediction, among them {missing[0]!r}."
        raise ValueError(msg)
    asked = [
        SimpleNamespace(qas_id=example.id, answers=[{"text": text} for text in example.gold]) for example in examples
    ]
    metrics = dict(squad_evaluate(asked, predictions))
    exact, f1 = ({name: 100.0 * value for name, value in part.items()} for part in get_raw_scores(asked, predictions))
    return Evaluation(metrics["exact"], metrics["f1"], metrics["total"], dict(predictions), metrics, exact, f1)


def compare(evaluation: Evaluation, baseline: Evaluation) -> dict[str, Difference]:
    """
    How far a model is from another, with a paired bootstrap interval of 95%.

    :param evaluation: of the model.
    :param baseline: of the other, on the same questions.
    :return: differences of `exact` and `f1`, in points.
    """
    return {
        "exact": paired_bootstrap(evaluation.exact_scores, baseline.exact_scores),
        "f1": paired_bootstrap(evaluation.f1_scores, baseline.f1_scores),
    }


def _predict(
    encoder: PassageEncoder,
    examples: Sequence[SquadExample],
    codec: str,
    runtime: Runtime | None,
    batch_size: int,
    *,
    no_answer: bool,
    progress_bar: bool,
) -> dict[str, str]:
    by_context: dict[str, list[SquadExample]] = {}
    predictions: dict[str, str] = {}
    for example in examples:
        if _has_tokens(encoder, example):
            by_context.setdefault(example.context, []).append(example)
        else:
            predictions[example.id] = ""
    contexts = list(by_context)
    with Representations.open(encoder.manifest(codec), training_sample=encoder.sample_states) as representations:
        reader = PassageReader(encoder, representations, runtime=runtime, batch_size=batch_size, top_k_per_passage=1)
        with tqdm(
            total=len(examples),
            initial=len(predictions),
            desc="Evaluating",
            unit=" questions",
            disable=not progress_bar,
        ) as bar:
            for first in range(0, len(contexts), _PASSAGES_AT_ONCE):
                chunk = contexts[first : first + _PASSAGES_AT_ONCE]
                keys = [representations.key(context) for context in chunk]
                representations.put(dict(zip(keys, encoder.encode(chunk), strict=True)))
                for context in chunk:
                    asked = by_context[context]
                    pairs = [(question, 0) for question in range(len(asked))]
                    reading = reader.read_pairs([example.question for example in asked], [context], pairs)
                    for example, spans in zip(asked, reading.spans, strict=True):
                        best = spans[0] if spans and (spans[0].margin > 0 or not no_answer) else None
                        predictions[example.id] = context[best.start : best.end] if best else ""
                    bar.update(len(asked))
                representations.delete(keys)
    return predictions


def _has_tokens(encoder: PassageEncoder, example: SquadExample) -> bool:
    """Whether there is anything to ask; a question of zero-width spaces is counted as not answered."""
    try:
        encoder.tokenizer.question(example.question)
    except ValueError as error:
        logger.warning("Question %s counts as not answered: %s", example.id, error)
        return False
    return True
