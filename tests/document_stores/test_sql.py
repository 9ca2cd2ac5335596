"""Stores over SQL: the default path, sessions, one id in two indexes."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from haystack.document_stores.sql import MetaDocumentORM
from haystack.schema import Document
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session, scoped_session

from haystack_deformer.document_stores import REPRESENTATION_META_KEY, path_beside
from tests.document_stores.sql_store import DeFormerSQLDocumentStore

PARIS, BERLIN, ROME = "paris is in france", "berlin is in germany", "a river in the city"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///faiss_document_store.db", "faiss_document_store.representations"),
        ("sqlite:////data/x/documents.db", "/data/x/documents.representations"),
        ("sqlite:///data.v1", "data.v1.representations"),
        # not that of data.db
        ("sqlite:///data", "data_representations"),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
    ],
)
def test_the_path_beside(url: str, path: str | None) -> None:
    assert path_beside(url) == path


@pytest.mark.parametrize("url", ["postgresql://me:secret@host:5432/documents", "sqlite:///file:x.db?uri=true"])
def test_no_path_beside(url: str) -> None:
    with pytest.raises(ValueError, match="give representation_path") as raised:
        path_beside(url)
    assert "secret" not in str(raised.value)


def test_every_thread_has_a_session_on_a_file(make_faiss: Any) -> None:
    assert isinstance(make_faiss().session, scoped_session)
    assert isinstance(make_faiss(sql_url="sqlite://").session, Session)


def test_references_are_right_where_one_id_is_in_two_indexes(make_faiss: Any) -> None:
    store = make_faiss()
    # the parent alone would remove the meta of every document of that id when it overwrites one
    store.write_documents([Document(content=PARIS, id="1"), Document(content=BERLIN, id="2")], index="one")
    store.write_documents([Document(content=ROME, id="1")], index="two")
    assert store.update_representations(index="one") == 0
    found = {(d.index, d.id): d.reference for d in store._access.by_ids(["1", "2"])}
    key = store.representations.key
    assert found == {
        ("one", "1"): key(PARIS).hex(),
        ("one", "2"): key(BERLIN).hex(),
        ("two", "1"): key(ROME).hex(),
    }


def test_changes_that_fail_leave_the_store_usable(tmp_path: Path, tiny_deformer: Path) -> None:
    store = DeFormerSQLDocumentStore(f"sqlite:///{tmp_path}/x.db", deformer_model=str(tiny_deformer))
    store.write_documents([Document(content=PARIS, id="1", meta={"name": "x"})])
    # the database's driver cannot encode it
    half = {"\ud800": 1}
    with pytest.raises(UnicodeEncodeError):
        store.write_documents([Document(content=BERLIN, id="2", meta=half), Document(content=ROME, id="3")])
    with pytest.raises(UnicodeEncodeError):
        store.update_document_meta("1", half)
    with pytest.raises(StatementError, match="not JSON serializable"):
        store.update_document_meta("1", {"when": datetime(2024, 1, 1, tzinfo=timezone.utc)})
    assert [(found.id, found.meta) for found in store.get_all_documents()] == [("1", {"name": "x"})]
    store.write_documents([Document(content=BERLIN, id="2")])
    assert store.get_document_count() == 2


def test_a_document_has_one_reference(make_faiss: Any) -> None:
    store = make_faiss()
    for text in (PARIS, BERLIN, ROME):
        # the parent leaves the meta of deleted documents behind, and SQLite does not mind
        store.write_documents([Document(content=text, id="1")], duplicate_documents="skip")
        store.delete_documents(ids=["1"])
    store.write_documents([Document(content=PARIS, id="1")], duplicate_documents="skip")
    store._access.set_references("document", {"1": "0" * 32})
    store.update_representations()
    rows = store.session.query(MetaDocumentORM).filter(MetaDocumentORM.name == REPRESENTATION_META_KEY).all()
    assert [row.value for row in rows] == [store.representations.key(PARIS).hex()]


def test_pages_through_an_index(make_faiss: Any) -> None:
    store = make_faiss()
    texts = [f"{PARIS} {number}" for number in range(7)]
    store.write_documents([Document(content=text, meta={"kind": "a" if "3" in text else "b"}) for text in texts])
    for size in (1, 2, 7, 100):
        assert sorted(d.text for d in store._access.documents("document", batch_size=size)) == texts
    assert [d.text for d in store._access.documents("document", {"kind": "a"})] == [texts[3]]
    assert store._access.count("document", {"kind": {"$in": ["a"]}}) == 1


def test_ids_of_documents(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_documents([Document(content=PARIS, id=name, meta={"kind": name < "b"}) for name in "cab"])
    store.write_documents([Document(content=PARIS, id="d")], index="other")
    assert store.get_document_ids() == ["a", "b", "c"]
    assert store.get_document_ids(filters={"kind": True}) == ["a"]
    assert store.get_document_ids("other") == ["d"]


def test_the_empty_text_is_an_id_like_others(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_documents([Document(content=PARIS, id="", meta={"k": "a"}), Document(content=BERLIN, meta={"k": "b"})])
    assert store.prune_representations() == 0
    for size in (1, 2):
        assert sorted(d.text for d in store._access.documents("document", batch_size=size)) == [BERLIN, PARIS]
    store.delete_documents(filters={"k": "a"})
    assert [d.content for d in store.get_all_documents()] == [BERLIN]


def test_filters_larger_than_a_query(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_documents([Document(content=PARIS, id="1", meta={"year": 7})])
    assert store.get_all_documents(filters={"$or": [{"year": number} for number in range(900)]})
    assert store.get_all_documents(filters={"year": list(range(15_000))})
    for filters, message in (
        ({"$or": [{"year": number} for number in range(901)]}, "hold 901 conditions"),
        ({"year": list(range(15_001))}, "1 conditions with 15,001 values"),
    ):
        for act in (store.get_all_documents, store.delete_documents):
            with pytest.raises(ValueError, match=message):
                act(filters=filters)
    assert store.get_document_count() == 1
