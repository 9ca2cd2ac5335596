"""Vectors that were made once are not made again, and never those of another model or text."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from haystack.schema import Document

from haystack_deformer.representations import LmdbRepresentationStore, StoreFullError
from haystack_deformer.rest_api import ServerSettings, create_app
from haystack_deformer.rest_api.vector_cache import VectorCache


class Retriever:
    """A vector tells the model and the length of the text."""

    def __init__(self, model: float = 1.0, embed_meta_fields: list[str] | None = None) -> None:
        self.model = model
        self.embed_meta_fields = embed_meta_fields
        self.embedded: list[str] = []

    def embed_documents(self, documents: list[Document]) -> np.ndarray:
        self.embedded += [document.content for document in documents]
        # a rounding that differs from batch to batch
        return np.array([[self.model, len(document.content) + 1e-6 * len(documents)] for document in documents])


def documents(*texts: str, **meta: str) -> list[Document]:
    return [Document(content=text, meta=meta) for text in texts]


def open_cache(folder: Path, **values: Any) -> tuple[VectorCache, Any]:
    retriever: Any = Retriever(**values)
    cache = VectorCache(folder, retriever)
    retriever.embedded.clear()
    return cache, retriever


def test_a_text_is_embedded_once_and_for_good(tmp_path: Path) -> None:
    cache, retriever = open_cache(tmp_path)
    first = retriever.embed_documents(documents("a", "bbb", "a"))
    assert retriever.embedded == ["a", "bbb"]
    assert first.round(3).tolist() == [[1, 1], [1, 3], [1, 1]]
    cache.close()
    _, again = open_cache(tmp_path)
    assert again.embed_documents(documents("bbb", "cc")).round(3).tolist() == [[1, 3], [1, 2]]
    assert again.embedded == ["cc"]


def test_another_model_makes_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache, retriever = open_cache(tmp_path)
    retriever.embed_documents(documents("a"))
    cache.close()
    _, other = open_cache(tmp_path, model=2.0)
    assert "makes other vectors" in caplog.text
    assert other.embed_documents(documents("a")).round(3).tolist() == [[2, 1]]


def test_meta_that_is_embedded_counts(tmp_path: Path) -> None:
    _, retriever = open_cache(tmp_path, embed_meta_fields=["title"])
    for meta in ({"title": "x"}, {"title": "y"}, {"title": "x", "other": "z"}):
        retriever.embed_documents(documents("a", **meta))
    assert retriever.embedded == ["a", "a"]


class Titled(Retriever):
    """Embeds the name as DensePassageRetriever does, without a word of it."""

    def __init__(self) -> None:
        super().__init__()
        del self.embed_meta_fields

    def embed_documents(self, documents: list[Document]) -> np.ndarray:
        super().embed_documents(documents)
        return np.array([[len(document.meta.get("name", "")), len(document.content)] for document in documents])


def test_meta_counts_where_the_retriever_does_not_say_what_it_embeds(tmp_path: Path) -> None:
    retriever: Any = Titled()
    VectorCache(tmp_path, retriever)
    retriever.embedded.clear()
    for name, length in (("x", 1), ("yy", 2), ("x", 1)):
        assert retriever.embed_documents(documents("a", name=name, year="1")).tolist() == [[length, 1]]
    assert retriever.embedded == ["a", "a"]
    retriever.embed_documents(documents("a", author="x", year="1"))
    assert retriever.embedded.pop() == "a"
    # what a store adds, and the order in which it gives it
    retriever.embed_documents(documents("a", deformer_representation="0f", vector_id="7", year="1", name="x"))
    assert retriever.embedded == ["a", "a"]


def test_only_what_there_is_is_kept(tmp_path: Path) -> None:
    cache, retriever = open_cache(tmp_path)
    retriever.embed_documents(documents("a", "b"))
    cache.keep_only(documents("b"))
    cache.close()
    _, again = open_cache(tmp_path)
    again.embed_documents(documents("a", "b"))
    assert again.embedded == ["a"]


def test_a_full_disk_keeps_nobody_from_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, retriever = open_cache(tmp_path)

    def full(*_: Any) -> None:
        message = "no room"
        raise StoreFullError(message)

    monkeypatch.setattr(LmdbRepresentationStore, "put", full)
    assert retriever.embed_documents(documents("a")).shape == (1, 2)
    assert "1 vectors could not be kept: no room" in caplog.text


def test_no_documents(tmp_path: Path) -> None:
    assert len(open_cache(tmp_path)[1].embed_documents([])) == 0


def test_a_server_that_starts_again_embeds_what_is_new_alone(
    write_pipelines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    embedded: list[str] = []
    original = VectorCache.__init__

    def counting(self: VectorCache, folder: Path, retriever: Any) -> None:
        compute = retriever.embed_documents
        retriever.embed_documents = lambda documents: (
            embedded.extend(d.content for d in documents) or compute(documents)
        )
        original(self, folder, retriever)

    monkeypatch.setattr(VectorCache, "__init__", counting)
    settings = ServerSettings(pipeline=write_pipelines(tmp_path))
    with TestClient(create_app(settings)) as client:
        for number, text in enumerate((b"paris is in france", b"berlin is in germany")):
            assert client.post("/file-upload", files={"files": (f"{number}.txt", text)}).status_code == 200
        before = client.post("/query", json={"query": "where?"}).json()["documents"]
    embedded.clear()
    with caplog.at_level(logging.INFO), TestClient(create_app(settings)) as client:
        assert [text for text in embedded if "Seine" not in text] == []
        assert client.post("/query", json={"query": "where?"}).json()["documents"] == before
        assert len(before) == 2
