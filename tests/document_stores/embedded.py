"""Documents with vectors, and whether a store finds each of them by its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from haystack.nodes import DenseRetriever
from haystack.schema import Document

DIMENSION = 8


def vector(number: int, dimension: int = DIMENSION) -> np.ndarray:
    return np.random.default_rng(number).standard_normal(dimension).astype("float32")


def document(number: int, identifier: str | None = None, *, embedded: bool = True) -> Document:
    return Document(
        content=f"paris {number}",
        id=identifier or str(number),
        meta={"parity": number % 2, "number": number},
        embedding=vector(number) if embedded else None,
    )


def nearest(store: Any, number: int, top_k: int = 3) -> list[str]:
    return [found.content for found in store.query_by_embedding(vector(number), top_k=top_k)]


def assert_each_is_found(store: Any) -> list[Document]:
    """Every document with a vector is found by it, before all others."""
    embedded = [found for found in store.get_all_documents() if "vector_id" in found.meta]
    for found in embedded:
        assert nearest(store, int(found.content.split()[1]), 1) == [found.content]
    return embedded


def assert_found(store: Any) -> None:
    """The same, and there are no other vectors."""
    embedded = assert_each_is_found(store)
    assert store.get_embedding_count() == len(embedded)
    assert {found.meta["vector_id"] for found in embedded} == {str(number) for number in range(len(embedded))}


class Retriever(DenseRetriever):
    """Knows the vectors of the documents above; `given` has the ids that it was asked for, by call."""

    dimension = DIMENSION

    def embed_documents(self, documents: list[Document]) -> np.ndarray:
        self.__dict__.setdefault("given", []).append([found.id for found in documents])
        return np.stack([vector(int(found.content.split()[1]), self.dimension) for found in documents])

    def embed_queries(self, queries: list[str]) -> np.ndarray:
        raise NotImplementedError

    retrieve = retrieve_batch = embed_queries  # type: ignore[assignment]
