"""Filters of which Haystack would pass over a part are refused, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from haystack.schema import Document

from haystack_deformer.document_stores.repairs.filters import check_filters, comparisons

PASSED_OVER: list[tuple[Any, str]] = [
    ({"name": {"$not": {"$in": ["a"]}}}, r"filters\.name: the operator '\$not' cannot stand in a field.*'\$nin'"),
    ({"name": {"$and": [{"$ne": "a"}]}}, r"'\$and' cannot stand in a field"),
    ({"name": {"$regex": "a"}}, r"filters\.name: there is no operator '\$regex'.*'\$eq'"),
    ({"name": {"$eq": "a", "$regex": "a"}}, "no operator '.regex'"),
    ({"name": {"first": "a"}}, "no operator 'first'"),
    ({"$or": [{"name": "a"}, {"name": {"$like": "a"}}]}, r"filters\.\$or\.1\.name: there is no operator '\$like'"),
    ({"$nor": {"name": "a"}}, r"no operator '\$nor' here.*'\$or'"),
    ({"$not": {"$eq": "a"}}, r"filters\.\$not: there is no operator '\$eq' here"),
    ({"name": {}}, r"filters\.name is empty"),
    ({"$and": []}, r"filters\.\$and is an empty list"),
    ({"$or": []}, "empty list"),
    ({"$not": []}, "empty list"),
    ({"$not": {}}, r"filters\.\$not must be an object.*not \{\}"),
    ({"name": "a", "$or": {}}, r"filters\.\$or must be an object"),
    ({"$or": [{"name": "a"}, {}]}, r"filters\.\$or\.1 must be an object"),
    ({"$and": [[{"name": "a"}]]}, r"filters\.\$and\.0 must be an object"),
    ({"$and": 1}, r"filters\.\$and must be an object.*not 1"),
    ([], "filters is an empty list"),
    ("name", "filters must be an object.*not 'name'"),
    ({"name": {"$nin": "a"}}, r"filters\.name\.\$nin must be a list, not 'a'"),
    ({"name": {"$in": 1}}, "must be a list, not 1"),
]

UNDERSTOOD: list[tuple[Any, set[str]]] = [
    ({"name": "a"}, {"a"}),
    ({"name": ["a", "b"]}, {"a", "b"}),
    ({"name": []}, set()),
    ({"name": {"$ne": "a", "$nin": ["b"]}}, {"c"}),
    ({"year": {"$gte": 2001, "$lt": 2002}}, {"b"}),
    ({"year": {"$gt": 2001}, "name": {"$in": ["a", "c"]}}, {"c"}),
    ({"year": {"$lte": 2000}}, {"a"}),
    ({"$not": {"name": "a"}}, {"b", "c"}),
    ({"$not": [{"name": "a"}, {"name": "b"}]}, {"c"}),
    ({"$or": {"name": {"$eq": "a"}, "year": 2002}}, {"a", "c"}),
    ({"$and": [{"$or": [{"name": "a"}, {"name": "b"}]}, {"$not": {"year": 2001}}]}, {"a"}),
    ({"$and": ({"name": "a"}, {"year": 2000})}, {"a"}),
    ([{"name": "a"}, {"year": 2000}], {"a"}),
]


@pytest.fixture
def filled(store: Any) -> Any:
    """Three documents, with a year each."""
    store.write_documents(
        [
            Document(content=f"{name} is a city", id=name, meta={"name": name, "year": 2000 + i})
            for i, name in enumerate("abc")
        ]
    )
    return store


@pytest.mark.parametrize(("filters", "message"), PASSED_OVER, ids=lambda value: str(value)[:40])
def test_passed_over(filters: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_filters(filters)


def test_nothing_is_deleted_by_what_haystack_passes_over(filled: Any) -> None:
    for filters, message in PASSED_OVER:
        with pytest.raises(ValueError, match=message):
            filled.delete_documents(filters=filters)
        with pytest.raises(ValueError, match=message):
            filled.delete_documents(ids=["a"], filters=filters)
    assert filled.get_document_count() == 3


def test_what_haystack_understands_is_deleted(filled: Any) -> None:
    documents = filled.get_all_documents()
    for filters, fitting in UNDERSTOOD:
        assert {document.id for document in filled.get_all_documents(filters=filters)} == fitting, filters
        filled.delete_documents(filters=filters)
        assert {document.id for document in filled.get_all_documents()} == {"a", "b", "c"} - fitting, filters
        filled.write_documents(documents, duplicate_documents="skip")
    filled.delete_documents(filters={})
    assert filled.get_document_count() == 0


def test_a_value_that_is_none(store: Any) -> None:
    store.write_documents(
        [Document(content="paris", id="a", meta={"end": None}), Document(content="berlin", id="b", meta={"end": "x"})]
    )
    for filters, fitting in (
        ({"end": {"$eq": None}}, {"a"}),
        ({"end": {"$in": [None, "y"]}}, {"a"}),
        ({"end": {"$ne": None}}, {"b"}),
        ({"end": {"$nin": [None, "y"]}}, {"b"}),
        ({"$not": {"end": None}}, {"b"}),
    ):
        assert {document.id for document in store.get_all_documents(filters=filters)} == fitting, filters
    store.delete_documents(filters={"$not": {"end": None}})
    assert {document.id for document in store.get_all_documents()} == {"a"}


def test_what_is_not_in_the_meta(store: Any) -> None:
    """A document without any meta is one as well, with states and without: it fits what says what is not to be."""
    store.write_documents(
        [
            Document(content="paris is a city", id="none"),
            Document(content=" ", id="blank"),
            Document(content="berlin is a city", id="draft", meta={"type": "draft", "year": 1}),
            Document(content="the river", id="year", meta={"year": 2}),
        ]
    )
    for filters, fitting in (
        ({"$not": {"type": "draft"}}, {"none", "blank", "year"}),
        ({"type": {"$nin": ["draft"]}}, {"none", "blank", "year"}),
        ({"type": {"$nin": ["other"]}, "year": {"$nin": [2]}}, {"none", "blank", "draft"}),
        ({"$not": {"$or": {"type": "draft", "year": 2}}}, {"none", "blank"}),
        ({"$not": {"$not": {"type": "draft"}}}, {"draft"}),
        ({"$not": {"year": {"$nin": [1]}}}, {"draft"}),
        ({"$or": [{"year": 2}, {"$not": {"year": {"$gte": 0}}}]}, {"none", "blank", "year"}),
        # of a field that is not there nothing is known
        ({"type": {"$ne": "draft"}}, set()),
    ):
        assert {document.id for document in store.get_all_documents(filters=filters)} == fitting, filters
        assert store.get_document_count(filters=filters) == len(fitting)
    store.delete_documents(filters={"$not": {"type": "draft"}})
    assert {document.id for document in store.get_all_documents()} == {"draft"}
    assert store.describe_representations()["count"] == 1


def test_comparisons() -> None:
    found = comparisons({"name": ["a"], "$not": [{"year": 1}, {"year": {"$gt": 2, "$lt": 5}}]})
    assert [tuple(comparison) for comparison in found] == [
        ("filters.name", "$in", ["a"]),
        ("filters.$not.0.year", "$eq", 1),
        ("filters.$not.1.year.$gt", "$gt", 2),
        ("filters.$not.1.year.$lt", "$lt", 5),
    ]
    assert list(comparisons(None)) == list(comparisons({})) == []


def test_depth() -> None:
    filters: Any = {"name": "a"}
    for _ in range(10):
        filters = {"$not": filters}
    assert len(list(comparisons(filters))) == len(list(comparisons(filters, 10))) == 1
    with pytest.raises(ValueError, match="nested too deep"):
        list(comparisons(filters, 9))
