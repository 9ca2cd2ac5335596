"""Exact match and F1 of a model, and how far they are from another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from transformers.data.metrics.squad_metrics import get_raw_scores, squad_evaluate

from haystack_deformer.evaluation.bootstrap import Difference, paired_bootstrap
from haystack_deformer.evaluation.prediction import predict_answers
from haystack_deformer.passages import PassageEncoder
from haystack_deformer.runtime import Runtime
from haystack_deformer.squad import SquadExample


@dataclass(frozen=True)
class Evaluation:
    """
    How good a model is on some data.

    :param exact: percent of the questions whose answer is exactly one of the accepted.
    :param f1: mean overlap of words with the best of the accepted answers, in percent.
    :param total: questions.
    :param predictions: answers by question id; empty for "no answer".
    :param metrics: what transformers' `squad_evaluate` says: these, and the same of questions with and without answers.
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
    encoder: PassageEncoder, examples: Sequence[SquadExample], *, codec: str = "SQfp16", **options: Any
) -> Evaluation:
    """
    As `evaluate_codecs`, through one codec.

    :param encoder: the model and its tokenizer.
    :param examples: from `load_squad`.
    :param codec: factory string of the codec that the states go through.
    :param options: others of `evaluate_codecs`.
    :raises ValueError: for a codec that faiss does not know.
    """
    return evaluate_codecs(encoder, examples, (codec,), **options)[codec]


def evaluate_codecs(
    encoder: PassageEncoder,
    examples: Sequence[SquadExample],
    codecs: Sequence[str],
    *,
    runtime: Runtime | None = None,
    batch_size: int = 50,
    no_answer: bool | None = None,
    progress_bar: bool = True,
) -> dict[str, Evaluation]:
    """
    Answer the questions of SQuAD-format files from stored states and compare by the official script's arithmetic.

    The passages run through the lower layers once, and their states through each codec.

    :param encoder: the model and its tokenizer.
    :param examples: from `load_squad`.
    :param codecs: factory strings of the codecs that the states go through.
    :param runtime: runs the questions and the upper layers; None: PyTorch in fp32.
    :param batch_size: windows that run through the upper layers at once, at most.
    :param no_answer: whether "no answer" may be predicted; None: where the data has unanswerable questions.
    :param progress_bar: whether to show one.
    :return: by codec.
    :raises ValueError: for a codec that faiss does not know.
    """
    if no_answer is None:
        no_answer = any(not example.gold for example in examples)
    predictions = predict_answers(
        encoder,
        examples,
        codecs,
        runtime=runtime,
        batch_size=batch_size,
        no_answer=no_answer,
        progress_bar=progress_bar,
    )
    return {codec: score(examples, answers) for codec, answers in predictions.items()}


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
    # its best thresholds want probabilities of "no answer"; without, they depend on the order of the questions
    metrics = {
        name: value for name, value in squad_evaluate(asked, predictions).items() if not name.startswith("best_")
    }
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
