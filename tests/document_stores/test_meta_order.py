"""Filters that compare find what they say: Haystack's SQL stores compare numbers as text."""

from __future__ import annotations

from typing import Any

import pytest
from haystack.schema import Document

PAGES = (-5, 2, 9, 10, 11.5, 100)


def _documents() -> list[Document]:
    numbers = [Document(content=f"paris is {page}", id=str(page), meta={"page": page}) for page in PAGES]
    days = [Document(content=f"paris {day}", id=day, meta={"page": day}) for day in ("2020-09-30", "2020-10-01")]
    return [
        *numbers,
        *days,
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
        ({"$gte": "2020-10-01"}, {"2020-10-01"}),
        ({"$lt": "2020-10-01"}, {"2020-09-30"}),
        ({"$eq": 9}, {"9"}),
        ({"$in": [9, 10]}, {"9", "10"}),
    ],
)
def test_numbers_and_texts_each_in_their_order(make_faiss: Any, comparison: Any, expected: set[str]) -> None:
    store = make_faiss()
    store.write_documents(_documents())
    assert {found.id for found in store.get_all_documents(filters={"page": comparison})} == expected
    if len(comparison) == 1:
        others = {document.id for document in _documents()} - expected
        assert {found.id for found in store.get_all_documents(filters={"$not": {"page": comparison}})} == others


def test_deleting_by_a_range_deletes_no_more_than_that(make_faiss: Any) -> None:
    store = make_faiss()
    store.write_documents(_documents()[: len(PAGES)])
    store.delete_documents(filters={"page": {"$gte": 10}})
    assert {found.id for found in store.get_all_documents()} == {"-5", "2", "9"}
    store.delete_documents(filters={"page": {"$gte": "1"}})
    assert len(store.get_all_documents()) == 3
