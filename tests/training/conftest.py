"""Short runs on little data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.training.config import TrainingConfig


@pytest.fixture(scope="session")
def write_squad(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A factory of files in SQuAD format."""

    def write(paragraphs: Sequence[dict[str, Any]], name: str = "tiny.json") -> Path:
        path = tmp_path_factory.mktemp("data") / name
        path.write_text(json.dumps({"data": [{"paragraphs": list(paragraphs)}]}))
        return path

    return write


@pytest.fixture(scope="session")
def make_config() -> Any:
    """A factory of settings for the tiny models: the cut 2, windows of 40 tokens."""

    def make(model: Path, data: Path, **values: Any) -> TrainingConfig:
        settings = {"lower_layers": 2, "max_seq_len": 62, "doc_stride": 20, "max_question_length": 20, **values}
        return TrainingConfig(model=str(model), train=(str(data),), **settings)

    return make
