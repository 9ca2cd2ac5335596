"""A small model of the benchmark's own making."""

from __future__ import annotations

import pytest

from haystack_deformer.benchmark.workload import make_bert

SMALL = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 64}


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The benchmark's own vocabulary in a small model."""
    return str(make_bert(tmp_path_factory.mktemp("small") / "bert", **SMALL))
