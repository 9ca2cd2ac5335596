"""Haystack's PreProcessor in the indexing pipeline: what a request may ask of it, and what an upload may become."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from haystack.nodes import PreProcessor
from haystack.nodes.preprocessor import preprocessor
from haystack.schema import Document

from haystack_deformer.rest_api import ServerSettings, create_app
from haystack_deformer.rest_api.splitting import _cut, expected_documents

CHANGES = {
    "    type: TextConverter\n": "    type: TextConverter\n  - name: PreProcessor\n    type: PreProcessor\n",
    "{name: Retriever, inputs: [Converter]}": "{name: PreProcessor, inputs: [Converter]}\n"
    "      - {name: Retriever, inputs: [PreProcessor]}",
}
BY_WORDS = {"split_by": "word", "split_length": "2", "split_respect_sentence_boundary": "false"}


@pytest.fixture(autouse=True)
def without_nltk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sentence is looked for here, and Haystack's PreProcessor wants NLTK and its data all the same."""
    monkeypatch.setattr(preprocessor.nltk_import, "check", lambda: None)
    data = types.SimpleNamespace(find=lambda _: None)
    monkeypatch.setattr(preprocessor, "nltk", types.SimpleNamespace(data=data), raising=False)


@pytest.fixture
def serve(write_pipelines: Any, tmp_path: Path, without_nltk: None) -> Iterator[Callable[..., TestClient]]:
    """A factory of clients of a server whose indexing pipeline splits."""
    with ExitStack() as started:

        def start(**settings: Any) -> TestClient:
            app = create_app(ServerSettings(pipeline=write_pipelines(tmp_path, "memory", **CHANGES), **settings))
            return started.enter_context(TestClient(app, raise_server_exceptions=False))

        yield start


def upload(client: TestClient, *texts: str, **form: str) -> Any:
    files = [("files", (f"{number}.txt", text.encode())) for number, text in enumerate(texts)]
    return client.post("/file-upload", files=files, data=form)


def documents(client: TestClient) -> list[Any]:
    return client.post("/documents/get_by_filters", json={}).json()


def node_of(client: TestClient) -> Any:
    return client.app.state.service.pipelines.indexing.get_node("PreProcessor")  # type: ignore[attr-defined]


def words(count: int) -> str:
    return " ".join(f"w{number}" for number in range(count))


def test_splitting(serve: Callable[..., TestClient]) -> None:
    client = serve()
    text = "paris is in france.\n\nberlin is in germany."
    for form, said in (
        ({"split_by": "klingon"}, "split_by"),
        ({"split_by": "klingon", "split_respect_sentence_boundary": "false"}, "split_by"),
        ({"split_by": "sentence"}, "split_respect_sentence_boundary"),
        ({"split_by": "passage", "split_respect_sentence_boundary": "true"}, "split_respect_sentence_boundary"),
        ({"additional_params": '{"PreProcessor": {"split_by": ["word"]}}'}, "split_"),
        ({"additional_params": '{"PreProcessor": {"split_length": 0}}'}, "split_length"),
        ({"additional_params": '{"PreProcessor": {"split_length": 10000000000}}'}, "split_length"),
        ({"additional_params": '{"split_overlap": -1}'}, "split_overlap"),
        # a model of any name or path
        ({"additional_params": '{"PreProcessor": {"tokenizer": "someone/repo"}}'}, "tokenizer"),
        ({"additional_params": '{"tokenizer": "/srv/model"}'}, "tokenizer"),
    ):
        response = upload(client, text, **form)
        assert response.status_code == 400, response.text
        assert said in response.json()["errors"][0]
        assert documents(client) == []
    by_passage = {"split_by": "passage", "split_length": "1", "split_respect_sentence_boundary": "false"}
    response = upload(client, text, **by_passage)
    assert response.status_code == 200, response.text
    assert len(response.json()["documents"]) == 2


def test_what_would_become_too_many_documents(
    serve: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(max_upload_documents=10)
    node, ran = node_of(client), []
    process = node.process
    monkeypatch.setattr(node, "process", lambda **given: ran.append(1) or process(**given))
    for texts, form in (
        ([words(22)], BY_WORDS),
        ([words(12), words(12)], BY_WORDS),
        ([words(15)], {**BY_WORDS, "split_overlap": "1"}),
        ([words(20)], {**BY_WORDS, "additional_params": '{"PreProcessor": {"split_length": 1}}'}),
        (["\n\n".join(words(11).split())], {**BY_WORDS, "split_by": "passage", "split_length": "1"}),
    ):
        response = upload(client, *texts, **form)
        assert response.status_code == 413, response.text
        assert "documents, and this server takes 10 at once" in response.json()["errors"][0]
    # before any of it was split
    assert ran == []
    assert documents(client) == []
    response = upload(client, words(20), **BY_WORDS)
    assert response.status_code == 200, response.text
    assert len(response.json()["documents"]) == 10


def test_more_documents_than_were_to_be_expected(
    serve: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(max_upload_documents=10)
    many = [Document(content=f"text {number}") for number in range(11)]
    monkeypatch.setattr(node_of(client), "process", lambda **_: many)
    assert upload(client, "paris").status_code == 413
    assert documents(client) == []


@pytest.mark.parametrize(("by", "separator"), [("word", " "), ("passage", "\n\n"), ("page", "\f")])
def test_what_is_expected_is_what_comes(by: str, separator: str) -> None:
    node = PreProcessor(clean_whitespace=False, clean_empty_lines=False, split_by=by, progress_bar=False)
    for units in (1, 7, 8, 100):
        given = [Document(content=separator.join(words(units).split()))]
        for length, overlap in ((1, 0), (7, 0), (7, 2), (7, 6), (200, 0)):
            values = {"split_length": length, "split_overlap": overlap}
            made = node.process(documents=given, split_respect_sentence_boundary=False, **values)
            assert expected_documents(node, given, values) == len(made), (units, length, overlap)


def test_what_nothing_splits_is_expected_too() -> None:
    node = PreProcessor(split_by="page", split_respect_sentence_boundary=False, max_chars_check=10, progress_bar=False)
    given = [Document(content="x" * 95), Document(content="short")]
    assert expected_documents(node, given, {}) == len(node.process(documents=given)) == 11
    # of other nodes nothing is known
    assert expected_documents(object(), given, {}) == 0


def test_long_documents_are_cut_as_haystack_cuts_them() -> None:
    node = PreProcessor(progress_bar=False)

    def long_and_short() -> list[Document]:
        return [
            Document(content=words(20), meta={"name": "a"}, id_hash_keys=["content", "meta"]),
            Document(content="short", meta={"name": "b"}),
            Document(content="abcdefghijk", id="own"),
        ]

    ours, theirs = _cut(long_and_short(), 10), node._long_documents(long_and_short(), 10)
    assert [(each.content, each.meta) for each in ours] == [(each.content, each.meta) for each in theirs]
    assert [each.id for each in ours[:3]] == [each.id for each in theirs[:3]]


def test_a_document_of_any_length_is_cut(serve: Callable[..., TestClient]) -> None:
    """Haystack's own way ends the stack at some thousand pieces."""
    text = words(10_000)
    pieces = _cut([Document(content=text, meta={"name": "a"})], 10)
    assert "".join(piece.content for piece in pieces) == text
    assert len(pieces) > 5_000
    # each its own meta: a store writes numbers into it
    assert len({id(piece.meta) for piece in pieces}) == len(pieces)
    assert node_of(serve())._long_documents is _cut


def test_no_data_to_find_sentences_by(serve: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve()
    error: Exception = LookupError("Resource punkt_tab not found, use the NLTK Downloader. Searched in: '/root/nltk'")

    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr(node_of(client), "_split_sentences", fail)
    response = upload(client, "paris is in france.", split_respect_sentence_boundary="true")
    assert response.status_code == 400, response.text
    assert "split_respect_sentence_boundary=false" in response.json()["errors"][0]
    assert "/root" not in response.text
    # where the request asks for nothing the pipeline file does, and other errors are nobody's wish
    assert upload(client, "paris is in france.").status_code == 500
    for lacking, form, said in (
        (OSError("Cannot fetch https://x/cl100k_base.tiktoken"), {"split_by": "token"}, "another split_by than token"),
        (NameError("name 'langdetect' is not defined"), {"split_by": "word"}, "leave valid_languages out"),
    ):
        error = lacking
        response = upload(client, "paris is in france.", split_respect_sentence_boundary="true", **form)
        assert (response.status_code, said in response.text, "x/cl100k" in response.text) == (400, True, False)
    error = KeyError("NLTK")
    assert upload(client, "paris is in france.", split_respect_sentence_boundary="true").status_code == 500
