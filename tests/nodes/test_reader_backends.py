"""A reader and a store that run on other backends and in lower precision."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from haystack.schema import Answer, Document

from haystack_deformer.document_stores import DeFormerInMemoryDocumentStore
from haystack_deformer.nodes import DeFormerReader

DOCUMENTS = [
    Document(content=text) for text in ("paris is the capital of france. " * 8, "berlin is a city in germany.")
]
QUESTION = "what is the capital"


@pytest.fixture(scope="module")
def model(tiny_deformer: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of its own, for the graphs."""
    return str(shutil.copytree(tiny_deformer, tmp_path_factory.mktemp("model") / "tiny"))


def make_store(model: str, **values: Any) -> DeFormerInMemoryDocumentStore:
    store = DeFormerInMemoryDocumentStore(deformer_model=model, progress_bar=False, **values)
    store.write_documents(DOCUMENTS)
    return store


def answers(reader: DeFormerReader) -> list[tuple[str, float]]:
    result: list[Answer] = reader.predict(QUESTION, DOCUMENTS)["answers"]
    return [(answer.answer, answer.score) for answer in result]


def test_onnx_answers_as_torch_does(model: str) -> None:
    store = make_store(model)
    expected = answers(DeFormerReader(document_store=store))
    got = answers(DeFormerReader(document_store=store, backend="onnx"))
    assert [text for text, _ in got] == [text for text, _ in expected]
    assert [score for _, score in got] == pytest.approx([score for _, score in expected], abs=1e-3)


@pytest.mark.parametrize(("backend", "dtype"), [("onnx", "int8"), ("torch", "bfloat16")])
def test_upper_layers_of_lower_precision_read_the_same_states(
    model: str, backend: str, dtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store(model)
    caplog.set_level(logging.WARNING, logger="haystack_deformer")
    got = answers(DeFormerReader(document_store=store, backend=backend, dtype=dtype))
    assert not caplog.records
    expected = answers(DeFormerReader(document_store=store))
    assert dict(got).keys() & dict(expected).keys()
    assert got != expected


@pytest.mark.parametrize(("backend", "dtype"), [("onnx", "float32"), ("onnx", "int8"), ("torch", "bfloat16")])
def test_states_of_a_store_of_lower_precision_are_found(
    model: str, backend: str, dtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store(model, representation_backend=backend, representation_dtype=dtype)
    reader = DeFormerReader(document_store=store)
    caplog.set_level(logging.WARNING, logger="haystack_deformer")
    stored = answers(reader)
    assert not caplog.records
    # what is missing is computed as the store would have, and gives the same answers
    store.delete_documents()
    computed = answers(reader)
    assert "were not stored and were computed" in caplog.text
    assert [text for text, _ in computed] == [text for text, _ in stored]
    assert [score for _, score in computed] == pytest.approx([score for _, score in stored], abs=1e-4)


def test_what_there_is_not_is_refused_at_once(model: str) -> None:
    with pytest.raises(ValueError, match="dtype='int8' is not to be had from backend='torch'"):
        DeFormerReader(model, dtype="int8")
    with pytest.raises(ValueError, match="backend='tensorrt' is not known"):
        make_store(model, representation_backend="tensorrt")
