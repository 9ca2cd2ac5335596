"""Short runs on little data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.run import train

CITIES = {"paris": "france", "berlin": "germany", "python": "reader", "river": "city"}


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


@pytest.fixture(scope="session")
def data(write_squad: Any) -> Path:
    """Which city is the capital of a country: the answer is the word before `is`."""
    context = " ".join(f"{capital} is the capital of {country}." for capital, country in CITIES.items())
    qas: list[dict[str, Any]] = [
        {
            "id": capital,
            "question": f"what is the capital of {country}",
            "answers": [{"text": capital, "answer_start": context.index(capital)}],
        }
        for capital, country in CITIES.items()
    ]
    qas += [{"id": "none", "question": "who is the", "answers": [], "is_impossible": True}]
    # passages of different lengths, so that batches of like length differ from batches in order
    short = [
        {
            "context": f"{'the ' * number}{capital} is in {country}.",
            "qas": [
                {
                    "id": f"{capital}-{number}",
                    "question": f"where is {capital}",
                    "answers": [{"text": country, "answer_start": 4 * number + len(capital) + 7}],
                }
            ],
        }
        for number, (capital, country) in enumerate(CITIES.items())
    ]
    return write_squad([{"context": context, "qas": qas}, *short])


@pytest.fixture(scope="session")
def config(tiny_bert: Path, data: Path, make_config: Any) -> TrainingConfig:
    """Nine questions in batches of two: five steps an epoch."""
    return make_config(tiny_bert, data, learning_rate=1e-3, num_train_epochs=2, batch_size=2, seed=3)


@pytest.fixture(scope="session")
def uninterrupted(config: TrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of these settings."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(config, folder, progress_bar=False)
    return folder
