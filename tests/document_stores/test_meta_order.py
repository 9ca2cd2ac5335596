"""Filters that compare find what they say: Haystack's SQL stores compare numbers as text."""

from __future__ import annotations

from typing import Any

import pytest
from haystack.schema import Document

PAGES = (-5, 2, 9, 10, 11.5, 100)
TEXTS = ("2020-09-30", "2020-10-01", "2020-10-01 10:00:00", 'New "York"', "New York", "Zug", "Zürich", "東京")


def _documents() -> list[Document]:
    numbers = [Document(content=f"paris is {page}", id=str(page), meta={"page": page}) for page in PAGES]
    texts = [Document(content=f"paris {text}", id=text, meta={"page": text}) for text in TEXTS]
    return [
        *numbers,
        *texts,
        Document(content="paris", id="none"),
        Document(content="is", id="true", meta={"page": True}),
    ]


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ({"$gte": 10}, {"10", "11.5", "100"}),
        ({"$gt": 10}, {"11.5", "100"}),
        ({"$lt": 10}, {"-5", "2", "9"}),
        ({"$lte": 9.5}, {"-5", "2", "9"}),
        ({"$gt": -6, "$lt": 10}, {"-5", "2", "9"}),
        ({"$gte": "2020-10-01", "$lt": "2021"}, {"2020-10-01", "2020-10-01 10:00:00"}),
        ({"$lt": "2020-10-01"}, {"2020-09-30"}),
        ({"$lte": "2020-10-01"}, {"2020-09-30", "2020-10-01"}),
        ({"$gt": "New"}, {'New "York"', "New York", "Zug", "Zürich", "東京"}),
        ({"$gt": "Zu"}, {"Zug", "Zürich", "東京"}),
        ({"$gte": "Zürich"}, {"Zürich", "東京"}),
        ({"$eq": 9}, {"9"}),
        ({"$in": [9, 10]}, {"9", "10"}),
        ({"$eq": 9.0}, {"9"}),
        ({"$in": [9.0, 11.5]}, {"9", "11.5"}),
    ],
)
def test_numbers_and_texts_each_in_their_order(make_faiss: Any, comparison: Any, expected: set[str]) -> None:
    store = make_faiss()
    store.write_documents(_documents())
    assert {found.id for found in store.get_all_documents(filters={"page": comparison})} == expected
    if len(comparison) == 1:
        others = {document.id for document in _documents()} - expected
        assert {found.id for found in store.get_all_documents(filters={"$not": {"page": comparison}})} == others


def test_numbers_are_equal_however_they_are_written(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_documents(
        [Document(content=f"paris {page}", id=str(page), meta={"page": page}) for page in (2, 2.0, 3)]
    )
    for filters in ({"page": 2}, {"page": 2.0}, {"page": [2]}, {"page": {"$nin": [3.0]}}, {"page": {"$ne": 3.0}}):
        assert {found.id for found in store.get_all_documents(filters=filters)} == {"2", "2.0"}


def test_numbers_that_are_too_large(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_documents(_documents())
    assert store.get_all_documents(filters={"page": 10**400}) == []
    with pytest.raises(ValueError, match="number that is too large"):
        store.get_all_documents(filters={"page": {"$gt": 10**400}})


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"page": {"$gte": 10}}, 3),
        ({"$or": [{"page": 2}, {"page": "Zug"}]}, 2),
        ({"page": 2}, 1),
        ({"page": [2, 9]}, 2),
    ],
)
def test_count(make_faiss: Any, filters: Any, count: int) -> None:
    store = make_faiss(embedding_dim=2)
    store.write_documents(_documents()[: len(PAGES) + 1])
    store.write_documents([Document(content="zug", id="Zug", meta={"page": "Zug"})])
    store.write_documents(_documents(), index="other")
    assert store.get_document_count(filters=filters) == count
    assert store.get_document_count(filters=filters, only_documents_without_embedding=True) == count


def test_deleting_by_a_range_deletes_no_more_than_that(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_documents(_documents()[: len(PAGES)])
    store.delete_documents(filters={"page": {"$gte": 10}})
    assert {found.id for found in store.get_all_documents()} == {"-5", "2", "9"}
    store.delete_documents(filters={"page": {"$gte": "1"}})
    assert len(store.get_all_documents()) == 3


def test_what_has_no_order_is_refused(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_documents(_documents())
    with pytest.raises(ValueError, match=r"number or a text, not with \['2020'\]"):
        store.get_all_documents(filters={"page": {"$gt": ["2020"]}})
