"""An index follows its texts: what is there is not computed again, and a stop or damage at any place is made good."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.corpus import CorpusIndex, IndexSettings, text_documents
from haystack_deformer.file_lock import FileLock
from haystack_deformer.passages import PassageEncoder
from tests.rest_api.conftest import tiny_sentence_encoder  # noqa: F401

TEXTS = {"france.md": "paris is the capital of france", "germany.md": "berlin is a city in germany"}


@pytest.fixture
def open_index(tiny_deformer: Path, tiny_sentence_encoder: Path, tmp_path: Path) -> Iterator[Callable[[], Any]]:  # noqa: F811
    """Opens the same index again and again, and closes it at the end."""
    opened: list[CorpusIndex] = []

    def open_again() -> CorpusIndex:
        settings = IndexSettings(model=str(tiny_deformer), embedding_model=str(tiny_sentence_encoder))
        opened.append(CorpusIndex(tmp_path / "index", settings))
        return opened[-1]

    yield open_again
    for index in opened:
        index.document_store.session.close()


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passages whose vectors were computed."""
    seen: list[str] = []
    from haystack.nodes import EmbeddingRetriever  # seconds

    original = EmbeddingRetriever.embed_documents

    def embed(self: Any, documents: Sequence[Any]) -> Any:
        seen.extend(document.content for document in documents)
        return original(self, documents)

    monkeypatch.setattr(EmbeddingRetriever, "embed_documents", embed)
    return seen


def passages(index: CorpusIndex, question: str) -> set[str]:
    return {document.content for document in index.ask(question).documents.values()}


def test_only_what_changed_is_embedded(open_index: Callable[[], Any], embedded: list[str]) -> None:
    open_index().sync(text_documents(TEXTS))
    # the first is the store's trial
    assert sorted(embedded[1:]) == sorted(TEXTS.values())
    embedded.clear()
    changed = {"germany.md": TEXTS["germany.md"], "river.md": "the river in paris"}
    index = open_index()
    report = index.sync(text_documents(changed))
    assert (report.added, report.kept, report.removed) == (1, 1, 1)
    assert embedded[1:] == ["the river in paris"]
    assert passages(index, "what is in paris") == set(changed.values())
    assert passages(open_index(), "what is in paris") == set(changed.values())


def test_what_is_there_is_told_by_ids_alone(open_index: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    index = open_index()
    index.sync(text_documents(TEXTS))
    for read in ("get_all_documents", "get_all_documents_generator", "get_documents_by_id"):
        monkeypatch.setattr(index.document_store, read, lambda *_, **__: pytest.fail("documents were read"))
    assert index.sync(text_documents(TEXTS)).kept == 2


def test_a_file_of_another_name_keeps_its_states(
    open_index: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_index()
    index.sync(text_documents(TEXTS))
    monkeypatch.setattr(PassageEncoder, "encode", lambda *_, **__: pytest.fail("states were computed again"))
    report = index.sync(text_documents({f"new-{name}": text for name, text in TEXTS.items()}))
    assert (report.added, report.removed, report.renewed) == (2, 2, 0)
    monkeypatch.undo()
    names = {document.meta["name"] for document in index.ask("where is paris").documents.values()}
    assert names == {f"new-{name}" for name in TEXTS}


@pytest.mark.parametrize("damage", ["stopped while it wrote", "vectors", "settings", "no vectors"])
def test_damage_is_made_good(open_index: Callable[[], Any], tmp_path: Path, damage: str) -> None:
    open_index().sync(text_documents(TEXTS))
    vectors, settings = (tmp_path / "index" / name for name in ("vectors.faiss", "settings.json"))
    if damage == "no vectors":
        vectors.unlink()
    elif damage == "settings":
        settings.write_text('{"model')
    else:
        vectors.write_bytes(vectors.read_bytes()[:40])
    if damage.startswith("stopped"):
        (tmp_path / "index" / "unfinished").touch()
    index = open_index()
    with pytest.raises(ValueError, match=r"is not finished: index the texts again"):
        index.ask("where is paris")
    report = index.sync(text_documents(TEXTS))
    assert (report.added, report.kept, report.removed) == (0, 2, 0)
    for each in (index, open_index()):
        assert passages(each, "where is paris") == set(TEXTS.values())


@pytest.mark.parametrize(
    ("question", "options", "message"),
    [
        ("", {}, r"The question is empty \(''\): give at least one word"),
        ("\u200b", {}, "give at least one word"),
        ("where is paris", {"top_k": 0}, "^top_k must be a whole number of at least 1, got 0"),
        ("where is paris", {"top_k_retriever": 0}, "^top_k_retriever must be a whole number of at least 1, got 0"),
    ],
    ids=range(4),
)
def test_what_cannot_be_asked(
    open_index: Callable[[], Any], question: str, options: dict[str, int], message: str
) -> None:
    index = open_index()
    index.sync(text_documents(TEXTS))
    with pytest.raises(ValueError, match=message):
        index.ask(question, **options)
    assert passages(index, "where is paris") == set(TEXTS.values())


def test_an_index_without_a_passage(open_index: Callable[[], Any]) -> None:
    index = open_index()
    for texts in ({}, TEXTS, {}):
        index.sync(text_documents(texts))
        if texts:
            assert passages(index, "where is paris") == set(texts.values())
        else:
            with pytest.raises(ValueError, match="has no passage: put texts into it, `haystack-deformer index"):
                index.ask("where is paris")


def test_a_folder_that_no_database_can_be_in(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without a question mark"):
        CorpusIndex(tmp_path / "what?" / "now", IndexSettings(model="any"))
    assert not list(tmp_path.iterdir())


def test_packages_that_haystacks_retriever_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        msg = "cannot import name 'SequenceSummary'"
        raise ImportError(msg)

    monkeypatch.setattr("haystack_deformer.corpus.index.EmbeddingRetriever", fail)
    with pytest.raises(ImportError, match=r"haystack-deformer\[retrieval\]' has .*'SequenceSummary'"):
        CorpusIndex(tmp_path, IndexSettings(model="some/model"))


def test_an_open_index_follows_another_process(open_index: Callable[[], Any]) -> None:
    """Here the other process is another object, which shares no vectors with the first."""
    first, other = open_index(), open_index()
    first.sync(text_documents(TEXTS))
    assert passages(other, "where is paris") == set(TEXTS.values())
    changed = {"river.md": "the river in paris", "germany.md": TEXTS["germany.md"], "rome.md": "rome is a city"}
    other.sync(text_documents(changed))
    assert passages(first, "where is paris") == set(changed.values())
    # and goes on from what the other has made
    report = first.sync(text_documents(TEXTS))
    assert (report.added, report.kept, report.removed) == (1, 1, 2)
    for index in (first, other, open_index()):
        assert passages(index, "where is paris") == set(TEXTS.values())


def test_a_change_while_a_question_is_read(open_index: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = open_index(), open_index()
    first.sync(text_documents(TEXTS))
    run = first.pipeline.run

    def changed_meanwhile(**arguments: Any) -> Any:
        result = run(**arguments)
        monkeypatch.undo()
        other.sync(text_documents({"rome.md": "rome is a city"}))
        return result

    monkeypatch.setattr(first.pipeline, "run", changed_meanwhile)
    assert passages(first, "where is paris") == {"rome is a city"}


def test_a_question_while_another_process_ends(open_index: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the new vectors and the end of its writing there is nothing to ask, and then there is."""
    first, other = open_index(), open_index()
    first.sync(text_documents(TEXTS))
    save = IndexSettings.save

    def asked_meanwhile(settings: IndexSettings, folder: Path) -> None:
        with pytest.raises(ValueError, match="wait, where another process does so now"):
            first.ask("where is paris")
        save(settings, folder)

    monkeypatch.setattr(IndexSettings, "save", asked_meanwhile)
    other.sync(text_documents({"rome.md": "rome is a city"}))
    monkeypatch.undo()
    assert passages(first, "where is paris") == {"rome is a city"}


def test_two_cannot_write_at_once(open_index: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = open_index(), open_index()
    write = first.document_store.write_documents

    def meanwhile(documents: Any) -> None:
        with pytest.raises(ValueError, match=r"Another process puts texts into the index .*: wait until it has ended"):
            other.sync(text_documents({}))
        write(documents)

    monkeypatch.setattr(first.document_store, "write_documents", meanwhile)
    first.sync(text_documents(TEXTS))
    monkeypatch.undo()
    assert passages(other, "where is paris") == set(TEXTS.values())
    other.sync(text_documents({"rome.md": "rome is a city"}))


def test_states_that_a_killed_run_left_go(open_index: Callable[[], Any]) -> None:
    index = open_index()
    index.sync(text_documents(TEXTS))
    store, left = index.document_store, "of a document that was never written"
    representations = store.representations
    representations.put(dict(zip([representations.key(left)], store.encoder.encode([left]), strict=True)))
    index._unfinished.touch()
    index.sync(text_documents(TEXTS))
    assert representations.contains([representations.key(text) for text in (left, *TEXTS.values())]) == [0, 1, 1]


def test_a_relative_path_stays_what_it_was(
    tiny_deformer: Path,
    tiny_sentence_encoder: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = IndexSettings(model=str(tiny_deformer), embedding_model=str(tiny_sentence_encoder))
    index = CorpusIndex("index", settings)
    index.sync(text_documents(TEXTS))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert passages(index, "where is paris") == set(TEXTS.values())
    index.sync(text_documents({"rome.md": "rome is a city"}))
    assert not list((tmp_path / "elsewhere").iterdir())
    index.document_store.session.close()


def test_the_tables_are_made_by_one_at_a_time(open_index: Callable[[], Any], tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    lock = FileLock(tmp_path / "index" / "make.lock")
    opened: list[Any] = []
    opening = threading.Thread(target=lambda: opened.append(open_index()))
    opening.start()
    opening.join(3)
    assert not opened
    lock.release()
    opening.join(60)
    assert len(opened) == 1
