"""The same forms of result as FARMReader, on the same model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from haystack.nodes import FARMReader
from haystack.schema import Answer, Document

from haystack_deformer import DeFormerReader

TEXTS = [
    "paris is the capital of france. " * 8,
    "berlin is a city in germany, and the capital.",
    "the river is in the city of berlin, which is in germany",
]


@pytest.fixture(scope="module")
def farm(tiny_bert: Path) -> FARMReader:
    return FARMReader(str(tiny_bert), use_gpu=False, num_processes=0, progress_bar=False, return_no_answer=True)


@pytest.fixture(scope="module")
def ours(tiny_bert: Path) -> DeFormerReader:
    return DeFormerReader(str(tiny_bert), lower_layers=2, progress_bar=False, return_no_answer=True)


@pytest.fixture
def documents() -> list[Document]:
    return [Document(content=text, meta={"name": f"d{i}", "page_number": 1}) for i, text in enumerate(TEXTS)]


def form(value: Any) -> Any:
    """The types in a result; of a list of answers those of an answer and of "no answer", for their number varies."""
    if isinstance(value, Answer):
        kinds = {name: type(entry).__name__ for name, entry in vars(value).items()}
        return "no answer" if not value.answer else "answer", tuple(sorted(kinds.items()))
    if isinstance(value, dict):
        return {name: form(entry) for name, entry in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], Answer):
        return sorted({form(entry) for entry in value})
    if isinstance(value, list):
        return [form(entry) for entry in value]
    return float if isinstance(value, float) or "float" in type(value).__name__ else type(value)


def test_predict(farm: FARMReader, ours: DeFormerReader, documents: list[Document]) -> None:
    theirs, mine = (reader.predict("what is the capital", documents, top_k=20) for reader in (farm, ours))
    assert form(mine) == form(theirs)


@pytest.mark.parametrize(
    ("queries", "nested"), [(["who"], False), (["who"], True), (["who", "what"], False), (["who", "what"], True)]
)
def test_predict_batch(
    farm: FARMReader, ours: DeFormerReader, documents: list[Document], queries: list[str], nested: bool
) -> None:
    asked: Any = [documents, documents[1:]] if nested else documents
    theirs, mine = (reader.predict_batch(queries, asked, top_k=20) for reader in (farm, ours))
    assert form(mine) == form(theirs)


def test_run(farm: FARMReader, ours: DeFormerReader, documents: list[Document]) -> None:
    theirs, mine = (reader.run("who", documents, top_k=20)[0] for reader in (farm, ours))
    assert form(mine) == form(theirs)
    assert [set(answer.meta) for answer in mine["answers"] if answer.answer] == [
        {"name", "page_number", "answer_page_number"}
    ] * sum(bool(answer.answer) for answer in mine["answers"])


def test_run_without_documents(farm: FARMReader, ours: DeFormerReader) -> None:
    for documents in ([], [Document(content=" ")]):
        assert ours.run("who", documents)[0] == farm.run("who", documents)[0]


def test_defaults_are_farm_readers(ours: DeFormerReader) -> None:
    import inspect

    theirs = inspect.signature(FARMReader.__init__).parameters
    for name, parameter in inspect.signature(DeFormerReader.__init__).parameters.items():
        if name in theirs and name not in ("self", "model_name_or_path"):
            recorded = {"max_seq_len": 256, "doc_stride": 128, "max_query_length": 64}.get(name, parameter.default)
            assert recorded == theirs[name].default, name
    config = ours._reader.encoder.model.deformer_config
    assert (config.max_seq_len, config.doc_stride, config.max_question_length) == (256, 128, 64)
