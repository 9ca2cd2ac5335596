"""Vectors that were made once are not made again, and never those of another model or text."""

from __future__ import annotations

import json
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


def test_what_is_removed_gives_its_room_back(tmp_path: Path) -> None:
    cache, retriever = open_cache(tmp_path)
    retriever.embed_documents(documents(*map(str, range(3_000))))
    assert cache.count == 3_000
    before = sum(file.stat().st_size for file in tmp_path.rglob("data.mdb"))
    cache.tidy(documents("7", "8"))
    assert cache.count == 2
    assert sum(file.stat().st_size for file in tmp_path.rglob("data.mdb")) < before / 2
    retriever.embedded.clear()
    retriever.embed_documents(documents("7", "9"))
    assert retriever.embedded == ["9"]


def test_what_cannot_be_removed_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache, retriever = open_cache(tmp_path)
    retriever.embed_documents(documents("a"))

    def full(*_: Any) -> None:
        message = "no room"
        raise StoreFullError(message)

    monkeypatch.setattr(LmdbRepresentationStore, "delete", full)
    cache.tidy([])
    assert "were deleted stay: no room" in caplog.text


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


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a server's retriever embeds, but for the sentence that it is tried with."""
    seen: list[str] = []
    original = VectorCache.__init__

    def counting(self: VectorCache, folder: Path, retriever: Any) -> None:
        compute = retriever.embed_documents
        retriever.embed_documents = lambda documents: (
            seen.extend(d.content for d in documents if "Seine" not in d.content) or compute(documents)
        )
        original(self, folder, retriever)

    monkeypatch.setattr(VectorCache, "__init__", counting)
    return seen


def test_a_server_that_starts_again_embeds_what_is_new_alone(
    write_pipelines: Any, tmp_path: Path, embedded: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    settings = ServerSettings(pipeline=write_pipelines(tmp_path))
    with TestClient(create_app(settings)) as client:
        for number, text in enumerate((b"paris is in france", b"berlin is in germany")):
            assert client.post("/file-upload", files={"files": (f"{number}.txt", text)}).status_code == 200
        before = client.post("/query", json={"query": "where?"}).json()["documents"]
    embedded.clear()
    with caplog.at_level(logging.INFO), TestClient(create_app(settings)) as client:
        assert embedded == []
        assert client.post("/query", json={"query": "where?"}).json()["documents"] == before
        assert len(before) == 2


def upload(client: TestClient, text: str, **params: Any) -> None:
    form = {"additional_params": json.dumps(params)}
    response = client.post("/file-upload", files={"files": (f"{text}.txt", text.encode())}, data=form)
    assert response.status_code == 200, response.text


def kept(client: TestClient) -> int:
    return client.app.state.service.stores[0]._vectors.count  # type: ignore[attr-defined]


def test_vectors_of_all_indexes_are_kept(write_pipelines: Any, tmp_path: Path, embedded: list[str]) -> None:
    settings = ServerSettings(pipeline=write_pipelines(tmp_path))
    with TestClient(create_app(settings)) as client:
        upload(client, "paris")
        upload(client, "berlin", DocumentStore={"index": "archive"})
    assert embedded == ["paris", "berlin"]
    for _ in range(2):
        with TestClient(create_app(settings)) as client:
            assert kept(client) == 2
    assert embedded == ["paris", "berlin"]


def test_vectors_go_with_their_documents(write_pipelines: Any, tmp_path: Path) -> None:
    settings = ServerSettings(pipeline=write_pipelines(tmp_path))
    with TestClient(create_app(settings)) as client:
        for text in ("paris", "berlin", "river", "city", "python"):
            upload(client, text)
        left = []
        for filters in ({"name": "paris.txt"}, {"name": "berlin.txt"}, {"name": "river.txt"}, {}):
            assert client.post("/documents/delete_by_filters", json={"filters": filters}).status_code == 200
            left.append(kept(client))
        # as long as half of them are needed nobody looks through all documents
        assert left == [5, 5, 2, 0]
        upload(client, "paris")
        client.app.state.service.document_store.delete_documents()  # type: ignore[attr-defined]
        assert kept(client) == 1
    with TestClient(create_app(settings)) as client:
        assert kept(client) == 0


class Truncating(Retriever):
    """Embeds the first characters of a text, as a model does whose windows end there."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def embed_documents(self, documents: list[Document]) -> np.ndarray:
        return super().embed_documents([Document(content=document.content[: self.length]) for document in documents])


def test_windows_of_another_length_make_their_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "a" * 900
    for length in (800, 200):
        retriever: Any = Truncating(length)
        cache = VectorCache(tmp_path, retriever)
        assert retriever.embed_documents(documents(text)).round(3).tolist() == [[1, length]]
        cache.close()
    assert "makes other vectors" in caplog.text


def test_what_an_earlier_release_kept_is_computed_again(tmp_path: Path) -> None:
    cache, retriever = open_cache(tmp_path)
    retriever.embed_documents(documents("a"))
    cache._store.delete([b"probe of a long text"])
    cache.close()
    cache, retriever = open_cache(tmp_path)
    assert cache.count == 0
    retriever.embed_documents(documents("a"))
    assert retriever.embedded == ["a"]


def test_without_probes_nobody_knows_whose_vectors_they_are(tmp_path: Path) -> None:
    """As where the disk was full when they were to be written."""
    cache, retriever = open_cache(tmp_path)
    retriever.embed_documents(documents("a"))
    cache._store.delete([b"probe", b"probe of a long text"])
    cache.close()
    _, other = open_cache(tmp_path, model=2.0)
    assert other.embed_documents(documents("a")).round(3).tolist() == [[2, 1]]
