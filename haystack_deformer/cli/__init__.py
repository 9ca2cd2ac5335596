"""The command `haystack-deformer`: train a model at a cut, measure it, index a folder of texts, ask it."""

from haystack_deformer.cli.app import app
from haystack_deformer.cli.benchmark import benchmark
from haystack_deformer.cli.corpus import ask, index
from haystack_deformer.cli.training import distil, evaluate, train

__all__ = ["app", "ask", "benchmark", "distil", "evaluate", "index", "train"]
