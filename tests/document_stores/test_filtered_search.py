"""Filters at a search by vectors: what they leave, in order, exactly."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest
from haystack.schema import Document

from haystack_deformer.document_stores.repairs.filtered_search import search_among
from tests.document_stores.embedded import DIMENSION, document, vector


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({"parity": 1}, {1, 3, 5, 7}),
        ({"number": {"$gte": 6}}, {6, 7}),
        ({"$or": {"number": 0, "parity": 1}}, {0, 1, 3, 5, 7}),
        ({"number": 99}, set()),
    ],
)
def test_only_what_fits_in_order(faiss_store: Any, filters: Any, left: set[int]) -> None:
    faiss_store.write_documents([document(number) for number in range(8)])
    faiss_store.write_documents([Document(content="no vector", id="none", meta={"parity": 1, "number": 7})])
    for top_k in (2, 10):
        found = faiss_store.query_by_embedding(vector(50), filters=filters, top_k=top_k, scale_score=False)
        distances = {number: float(((vector(number) - vector(50)) ** 2).sum()) for number in left}
        nearest = sorted(distances, key=distances.__getitem__)[:top_k]
        assert [entry.id for entry in found] == [str(number) for number in nearest]
        assert [entry.score for entry in found] == pytest.approx([distances[number] for number in nearest], rel=1e-5)


def test_scores_and_vectors_as_without_filters(make_faiss: Any) -> None:
    for number, similarity in enumerate(("cosine", "dot_product", "l2")):
        store = make_faiss(embedding_dim=DIMENSION, similarity=similarity, index=f"index-{number}")
        store.write_documents([document(number) for number in range(6)])
        for scale in (True, False):
            options: dict[str, Any] = {"top_k": 4, "scale_score": scale, "return_embedding": True}
            plain = store.query_by_embedding(vector(1), **options)
            narrowed = store.query_by_embedding(vector(1), filters={"number": {"$gte": 0}}, **options)
            assert [entry.id for entry in narrowed] == [entry.id for entry in plain]
            assert [entry.score for entry in narrowed] == pytest.approx([entry.score for entry in plain])
            assert np.array_equal([entry.embedding for entry in narrowed], [entry.embedding for entry in plain])


def test_another_index_does_not_count(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    store.write_documents([document(number) for number in range(4)])
    store.write_documents([document(number) for number in (3, 2)], index="other")
    found = store.query_by_embedding(vector(0), filters={"parity": 0}, index="other")
    assert [entry.id for entry in found] == ["2"]


def test_filters_that_cannot_be_read_and_indexes_that_cannot_narrow(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    store.write_documents([document(number) for number in range(4)])
    with pytest.raises(ValueError, match=r"there is no operator '\$near'"):
        store.query_by_embedding(vector(0), filters={"number": {"$near": 3}})
    index = faiss.IndexLSH(DIMENSION, 16)
    index.add(np.stack([vector(number) for number in range(4)]))
    with pytest.raises(ValueError, match=r"IndexLSH cannot search with filters: take .*'Flat'"):
        search_among(index, vector(0)[None], [1, 2], 1)


def test_numbers_of_vectors_that_are_not_there() -> None:
    index = faiss.IndexFlatL2(DIMENSION)
    index.add(np.stack([vector(number) for number in range(10)]))
    assert set(search_among(index, vector(0)[None], [9, 2, 10, 10**30], 4)) == {2, 9}
    assert search_among(index, vector(0)[None], [10], 4) == {}
