"""The tests that Haystack ships for every document store."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from haystack.testing.document_store import DocumentStoreBaseTestAbstract as Base


def fails_on_the_parent(test: Callable[..., None]) -> Any:
    """Haystack skips it for its own store, which fails in the same way; one that comes to pass has to be told."""

    @wraps(test)
    def copied(*args: Any, **kwargs: Any) -> None:
        test(*args, **kwargs)

    return pytest.mark.xfail(strict=True)(copied)


class TestDeFormerFAISSDocumentStore(Base):
    @pytest.fixture
    def ds(self, make_faiss: Any) -> Any:
        return make_faiss(return_embedding=True)

    # a document without the field, and vectors in the meta: what SQL compares are single values that are there
    test_ne_filters = fails_on_the_parent(Base.test_ne_filters)
    test_comparison_filters = fails_on_the_parent(Base.test_comparison_filters)
    test_nested_condition_filters = fails_on_the_parent(Base.test_nested_condition_filters)
    test_nested_condition_not_filters = fails_on_the_parent(Base.test_nested_condition_not_filters)
    # an index that is gone counts 0 documents
    test_delete_index = fails_on_the_parent(Base.test_delete_index)


class TestDeFormerInMemoryDocumentStore(Base):
    @pytest.fixture
    def ds(self, make_memory: Any) -> Any:
        return make_memory(return_embedding=True)

    test_ne_filters = fails_on_the_parent(Base.test_ne_filters)
    test_delete_index = fails_on_the_parent(Base.test_delete_index)
