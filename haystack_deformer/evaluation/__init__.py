"""How good a model's answers are: the questions of SQuAD-format files through codecs, scored and compared."""

from haystack_deformer.evaluation.bootstrap import Difference, paired_bootstrap
from haystack_deformer.evaluation.prediction import has_tokens, predict_answers
from haystack_deformer.evaluation.scoring import Evaluation, compare, evaluate, evaluate_codecs, score

__all__ = [
    "Difference",
    "Evaluation",
    "compare",
    "evaluate",
    "evaluate_codecs",
    "has_tokens",
    "paired_bootstrap",
    "predict_answers",
    "score",
]
