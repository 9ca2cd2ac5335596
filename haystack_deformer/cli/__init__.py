"""The command `haystack-deformer`: choose a cut, train at it, measure it, index a folder of texts, ask it, serve it."""

from haystack_deformer.cli.app import app
from haystack_deformer.cli.averaging import average
from haystack_deformer.cli.benchmark import benchmark
from haystack_deformer.cli.cloze import cloze
from haystack_deformer.cli.corpus import ask, index
from haystack_deformer.cli.evaluation import evaluate
from haystack_deformer.cli.inspection import inspect
from haystack_deformer.cli.mixing import mix
from haystack_deformer.cli.serving import serve
from haystack_deformer.cli.training import distil, train

__all__ = [
    "app",
    "ask",
    "average",
    "benchmark",
    "cloze",
    "distil",
    "evaluate",
    "index",
    "inspect",
    "mix",
    "serve",
    "train",
]
