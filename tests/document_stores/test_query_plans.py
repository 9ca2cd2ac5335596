"""How SQLite finds rows: by an index that leads to few of them, in whatever order its indexes were made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from haystack.document_stores import FAISSDocumentStore
from haystack.document_stores.sql import MetaDocumentORM
from haystack.schema import Document
from sqlalchemy import event, text

from haystack_deformer.document_stores.repairs.vector_numbers import contents_of, renumber, vector_numbers
from tests.document_stores.embedded import DIMENSION, Retriever, assert_found, document


def make_last(session: Any, column: str) -> None:
    """The index of meta that SQLite takes where it knows no better is the one that was made last."""
    session.execute(text(f"DROP INDEX ix_meta_document_{column}"))
    session.execute(text(f"CREATE INDEX ix_meta_document_{column} ON meta_document ({column})"))
    session.commit()


def plan(store: Any, task: Callable[[], Any]) -> list[str]:
    """The steps by which SQLite does what a task asks of it."""
    engine = store.session.get_bind()
    steps: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "DELETE", "UPDATE")):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters[0] if many else parameters)
            steps.extend(row[-1] for row in cursor.fetchall())

    event.listen(engine, "before_cursor_execute", explain)
    try:
        task()
    finally:
        event.remove(engine, "before_cursor_execute", explain)
        store.session.rollback()
    return steps


@pytest.fixture(params=["document_index", "name"])
def misleading(request: pytest.FixtureRequest, make_faiss: Any) -> Any:
    """A store with SQLite's indexes made in an order that misleads it."""
    store = make_faiss(embedding_dim=DIMENSION)
    store.write_documents([document(number) for number in range(4)])
    make_last(store.session, request.param)
    return store


def test_rows_are_found_without_going_through_all(misleading: Any) -> None:
    store = misleading
    keys = [store.representations.key(f"paris {number}") for number in range(3)]

    def overwrite() -> None:
        with store._access.changing("document"):
            store.session.query(MetaDocumentORM).filter_by(document_id="1").delete()

    # it asks for all ids
    def goes_through_all() -> Any:
        return list(store._query())

    tasks: list[Callable[[], Any]] = [
        lambda: list(store._access.by_ids(["1", "2", "3"])),
        lambda: list(store._access.by_ids(["1", "2", "3"], "document")),
        lambda: list(store._access.documents("document", batch_size=2)),
        lambda: list(store._access.referring([key.hex() for key in keys])),
        lambda: store._access.set_references("document", {"1": "0" * 32, "2": "1" * 32}),
        lambda: vector_numbers(store.session, "document", ["1", "2", "3"]),
        lambda: contents_of(store.session, "document", ["1", "2", "3"]),
        lambda: store._forget_meta("document", ["1", "2", "3"]),
        lambda: renumber(store.session, "document", {2: 9}),
        goes_through_all,
        lambda: store.get_documents_by_vector_ids(["0", "1"]),
        overwrite,
    ]
    for number, task in enumerate(tasks):
        steps = plan(store, task)
        assert steps, number
        for step in steps:
            assert "document_index=?" not in step, (number, steps)
            assert "(name=?" not in step, (number, steps)
            assert not step.startswith("SCAN document") or task is goes_through_all, (number, steps)


def test_what_is_read_in_batches_is_looked_for_once(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    store.write_documents([document(number, embedded=False) for number in range(6)])
    steps = plan(store, lambda: list(store._query(filters={"parity": 1}, batch_size=1)))
    assert sum("SUBQUERY" in step for step in steps) == 1, steps
    retriever = Retriever()
    steps = plan(store, lambda: store.update_embeddings(retriever, update_existing_embeddings=False, batch_size=2))
    assert sum("vector_id=?" in step for step in steps) == 1, steps
    # the first is the one that the dimension is checked on
    assert [len(ids) for ids in retriever.given] == [1, 2, 2, 2]
    assert_found(store)


@pytest.fixture(params=["made by it", "made by Haystack"])
def store(request: pytest.FixtureRequest, make_faiss: Any, tmp_path: Path) -> Any:
    """A store on a database with documents, with the index of `document_index` made last."""
    if request.param == "made by it":
        store = make_faiss()
    else:
        store = FAISSDocumentStore(sql_url=f"sqlite:///{tmp_path}/documents.db", progress_bar=False)
    store.write_documents([Document(content=f"paris {number}", id=str(number)) for number in range(4)])
    make_last(store.session, "document_index")
    return make_faiss()


def test_haystacks_own_queries_read_the_meta_of_the_document_alone(store: Any) -> None:
    tasks: dict[str, Callable[[], Any]] = {
        "read": lambda: store.get_documents_by_id(["1", "2"]),
        "update": lambda: store.update_document_meta("1", {"name": "x"}),
        "overwrite": lambda: store.write_documents([Document(content="berlin", id="2")]),
    }
    for name, task in tasks.items():
        steps = [step for step in plan(store, task) if "meta_document" in step]
        assert any("(document_id=? AND document_index=?)" in step for step in steps), (name, steps)
        assert not [step for step in steps if step.endswith("(document_index=?)")], (name, steps)


def test_a_database_that_may_only_be_read(make_faiss: Any, tmp_path: Path) -> None:
    plain = FAISSDocumentStore(sql_url=f"sqlite:///{tmp_path}/documents.db", progress_bar=False)
    plain.write_documents([Document(content="paris", id="1")])
    url = f"sqlite:///file:{tmp_path}/documents.db?mode=ro&uri=true"
    store = make_faiss(sql_url=url, representation_path=str(tmp_path / "states"))
    assert [found.content for found in store.get_all_documents()] == ["paris"]
