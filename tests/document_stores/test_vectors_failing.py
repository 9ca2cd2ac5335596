"""What fails half-way: documents, vectors and their numbers are as they were, and the store goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy.exc import StatementError
from sqlalchemy.sql import Update

from tests.document_stores.embedded import DIMENSION, Retriever, assert_each_is_found, assert_found, document

HALF = {"\ud800": 1}
"""A field whose name the database's driver cannot encode."""


class Unprintable:
    """What Haystack's SQL stores fail on before the database is asked: they keep details as a text."""

    def __str__(self) -> str:
        raise TypeError


CLASSIFIED = {"classification": {"label": "confidential", "score": 1.0, "details": Unprintable()}}


def contents(store: Any) -> set[str]:
    return {found.content for found in store.get_all_documents()}


@pytest.fixture(params=["renumbering", "commit"])
def break_sql(request: pytest.FixtureRequest) -> Callable[[pytest.MonkeyPatch, Any], None]:
    """Makes a store's updates of numbers fail, or its commits."""

    def fail(*_: Any) -> None:
        msg = "the disk is full"
        raise OSError(msg)

    def apply(patch: pytest.MonkeyPatch, store: Any) -> None:
        session = store.session.registry()
        execute = session.execute

        def without_updates(statement: Any, *args: Any, **kwargs: Any) -> Any:
            return fail() if isinstance(statement, Update) else execute(statement, *args, **kwargs)

        if request.param == "commit":
            patch.setattr(session, "commit", fail)
        else:
            patch.setattr(session, "execute", without_updates)

    return apply


@pytest.mark.parametrize("meta", [CLASSIFIED, HALF])
def test_a_write_that_fails_leaves_no_vectors(faiss_store: Any, meta: dict[str, Any]) -> None:
    faiss_store.write_documents([document(number) for number in range(3)])
    bad = [document(number) for number in range(3, 6)]
    bad[1].meta = meta
    for _ in range(2):
        with pytest.raises((TypeError, UnicodeEncodeError)):
            faiss_store.write_documents(bad)
        assert contents(faiss_store) == {"paris 0", "paris 1", "paris 2"}
        assert_found(faiss_store)
    faiss_store.write_documents([document(number) for number in range(3, 6)])
    assert faiss_store.get_embedding_count() == 6
    assert_found(faiss_store)


def test_an_overwrite_that_fails_tells_why_and_changes_nothing(faiss_store: Any) -> None:
    faiss_store.write_documents([document(number) for number in range(3)])
    bad = [document(10, "1"), document(11, "2")]
    bad[0].meta = HALF
    # an error of what is asked of the session afterwards would be another
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        faiss_store.write_documents(bad)
    assert contents(faiss_store) == {"paris 0", "paris 1", "paris 2"}
    assert_found(faiss_store)


def test_what_was_written_before_the_failure_has_its_vectors(faiss_store: Any) -> None:
    faiss_store.write_documents([document(number) for number in range(3)])
    bad = [document(10, "0"), document(11, "1"), document(12, "5")]
    bad[1].meta = CLASSIFIED
    with pytest.raises(TypeError):
        faiss_store.write_documents(bad, batch_size=1)
    assert contents(faiss_store) == {"paris 10", "paris 1", "paris 2"}
    assert_found(faiss_store)


def test_another_text_before_the_failure_has_not_the_vector_of_the_first(faiss_store: Any) -> None:
    faiss_store.write_documents([document(number) for number in range(3)])
    bad = [document(10, "0", embedded=False), document(11, "1", embedded=False)]
    bad[1].meta = HALF
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        faiss_store.write_documents(bad, batch_size=1)
    assert contents(faiss_store) == {"paris 10", "paris 1", "paris 2"}
    assert_found(faiss_store)
    faiss_store.update_embeddings(Retriever(), update_existing_embeddings=False)
    assert_found(faiss_store)
    assert faiss_store.get_embedding_count() == 3


def test_meta_that_cannot_be_stored(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION)
    store.write_documents([document(1)])
    with pytest.raises(StatementError, match="not JSON serializable"):
        store.update_document_meta("1", {"when": datetime(2024, 1, 1, tzinfo=timezone.utc)})
    assert store.get_document_by_id("1").meta == {"parity": 1, "number": 1, "vector_id": "0"}
    store.update_document_meta("1", {"name": "x"})
    assert store.get_document_by_id("1").meta == {"name": "x", "vector_id": "0"}


@pytest.mark.parametrize("arguments", [{"ids": ["1", "4"]}, {"filters": {"parity": 0}}])
def test_a_delete_that_fails_changes_nothing(
    faiss_store: Any, break_sql: Any, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    faiss_store.write_documents([document(number) for number in range(6)])
    with monkeypatch.context() as patch:
        break_sql(patch, faiss_store)
        with pytest.raises(OSError, match="the disk is full"):
            faiss_store.delete_documents(**arguments)
    assert len(contents(faiss_store)) == 6
    assert_found(faiss_store)
    faiss_store.delete_documents(**arguments)
    assert len(contents(faiss_store)) < 6
    assert_found(faiss_store)


@pytest.mark.parametrize(
    "delete", [lambda store: store.delete_documents(), lambda store: store.delete_index("document")]
)
def test_deleting_all_that_fails_changes_nothing(
    faiss_store: Any, monkeypatch: pytest.MonkeyPatch, delete: Callable[[Any], None]
) -> None:
    def fail() -> None:
        msg = "the disk is full"
        raise OSError(msg)

    faiss_store.write_documents([document(number) for number in range(6)])
    with monkeypatch.context() as patch:
        patch.setattr(faiss_store.session.registry(), "commit", fail)
        with pytest.raises(OSError, match="the disk is full"):
            delete(faiss_store)
    assert len(contents(faiss_store)) == 6
    assert_found(faiss_store)


@pytest.mark.parametrize("break_sql", ["renumbering"], indirect=True)
def test_an_overwrite_whose_old_vector_cannot_go(
    faiss_store: Any, break_sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faiss_store.write_documents([document(number) for number in range(6)])
    with monkeypatch.context() as patch:
        break_sql(patch, faiss_store)
        with pytest.raises(OSError, match="the disk is full"):
            faiss_store.write_documents([document(10, "1")])
    # the old one stays as nobody's, and all others are where they were
    assert len(assert_each_is_found(faiss_store)) == 6
    assert "paris 10" in contents(faiss_store)


def test_few_numbers_change(faiss_store: Any) -> None:
    def numbers() -> dict[str, str]:
        return {found.id: found.meta["vector_id"] for found in faiss_store.get_all_documents()}

    faiss_store.write_documents([document(number) for number in range(30)])
    before = numbers()
    faiss_store.delete_documents(ids=["0", "3"])
    assert sum(before[identifier] != number for identifier, number in numbers().items()) == 2
    assert_found(faiss_store)
