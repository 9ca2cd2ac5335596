"""The documents nearest to a question among those that filters leave, which FAISSDocumentStore does not look for."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from haystack.schema import Document, FilterType

from haystack_deformer.document_stores.parents import FAISSStore
from haystack_deformer.document_stores.repairs.filters import check_filters
from haystack_deformer.document_stores.repairs.guarding import Guarded
from haystack_deformer.document_stores.repairs.sessions import undone_on_error
from haystack_deformer.document_stores.repairs.vector_numbers import numbers_left


class FilteredSearch(Guarded, FAISSStore):
    """Put ahead of FAISSDocumentStore, which warns that it knows no filters and finds documents that do not fit."""

    def query_by_embedding(
        self,
        query_emb: np.ndarray,
        filters: FilterType | None = None,
        top_k: int = 10,
        index: str | None = None,
        return_embedding: bool | None = None,
        headers: dict[str, str] | None = None,
        scale_score: bool = True,
    ) -> list[Document]:
        """
        Find the documents nearest to a question; with filters exactly, whatever the kind of the FAISS index.

        :param query_emb: of the question, (embedding_dim,).
        :param filters: which documents, in any form that `get_all_documents` takes; None: all.
        :param top_k: documents at most.
        :param index: where; None: the default index.
        :param return_embedding: whether with their vectors; None: the store's own.
        :param headers: for the parent, which says that it takes none.
        :param scale_score: whether scores are brought into [0, 1].
        :raises ValueError: for filters that cannot be read; for filters and an index of a kind that cannot narrow.
        """
        index = index or self.index
        with self.guard, undone_on_error(self.session):
            if headers or not filters or index not in self.faiss_indexes:
                return super().query_by_embedding(query_emb, None, top_k, index, return_embedding, headers, scale_score)
            check_filters(filters)
            query = query_emb.reshape(1, -1).astype("float32")
            if self.similarity == "cosine":
                self.normalize_embedding(query)
            vectors = self.faiss_indexes[index]
            scores = search_among(vectors, query, numbers_left(self.session, index, filters), top_k)
            documents = self.get_documents_by_vector_ids([str(number) for number in scores], index=index)
            for document in documents:
                number = int(document.meta["vector_id"])
                score = scores[number]
                document.score = self.scale_to_unit_interval(score, self.similarity) if scale_score else score
                if self.return_embedding if return_embedding is None else return_embedding:
                    document.embedding = vectors.reconstruct(number)
            return documents


def search_among(vectors: Any, query: np.ndarray, numbers: list[int], top_k: int) -> dict[int, float]:
    """
    The vectors nearest to one among some of an index.

    All of them are compared: a graph's or the probed lists' neighbours may have none of them among them.

    :param vectors: the index.
    :param query: (1, dimension).
    :param numbers: of the vectors to look at.
    :param top_k: at most.
    :return: scores as the index gives them, by number, the nearest first.
    :raises ValueError: where the index is of a kind that cannot narrow.
    """
    # a store that was opened without some of its vectors has their numbers still
    numbers = [number for number in numbers if number < vectors.ntotal]
    if not numbers:
        return {}
    chosen = np.zeros(vectors.ntotal, dtype=bool)
    chosen[numbers] = True
    # faster than IDSelectorBatch, which looks each number up in a table, however few there are
    selector: Any = faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))  # type: ignore[call-arg, arg-type]
    searched: Any = faiss.downcast_index(vectors)
    if isinstance(searched, faiss.IndexHNSW):
        searched = faiss.downcast_index(searched.storage)
    parameters: Any = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
    if isinstance(searched, faiss.IndexIVF):
        parameters = faiss.SearchParametersIVF(sel=selector, nprobe=searched.nlist)  # type: ignore[call-arg]
    try:
        scores, found = searched.search(query, min(top_k, len(numbers)), params=parameters)
    except RuntimeError as error:
        msg = (
            f"A FAISS index of the kind {type(searched).__name__} cannot search with filters: take "
            "faiss_index_factory_str='Flat', 'HNSW' or 'IVFx,Flat', or ask without filters."
        )
        raise ValueError(msg) from error
    return {int(number): float(score) for number, score in zip(found[0], scores[0], strict=True) if number >= 0}
