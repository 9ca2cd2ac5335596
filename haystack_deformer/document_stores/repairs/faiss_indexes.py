"""The FAISS index that each index of documents has, all of one kind."""

from __future__ import annotations

from typing import Any

from haystack.schema import FilterType

from haystack_deformer.document_stores.parents import FAISSStore
from haystack_deformer.document_stores.repairs.guarding import Guarded
from haystack_deformer.document_stores.repairs.sessions import undone_on_error


class FaissIndexes(Guarded, FAISSStore):
    """Put ahead of FAISSDocumentStore, which saves the vectors of one index alone and then fails for the others."""

    _hnsw: dict[str, int]
    """Parameters of every index of the kind "HNSW", set before the parent's `__init__`."""

    def update_embeddings(self, retriever: Any, index: str | None = None, *args: Any, **kwargs: Any) -> None:
        """
        Embed documents as the parent does, which fails where an index has no vectors yet.

        :param retriever: embeds.
        :param index: whose documents; None: the default index.
        :param args: others of the parent.
        :param kwargs: others of the parent.
        """
        with self.guard, undone_on_error(self.session):
            self.have_vectors(index or self.index)
            super().update_embeddings(retriever, index, *args, **kwargs)

    def have_vectors(self, index: str) -> None:
        """
        Make the FAISS index of an index that has none, as one that was saved with the vectors of another.

        :param index: its name. Where it has no vectors its documents have none, whatever numbers they had.
        """
        if index not in self.faiss_indexes:
            self.faiss_indexes[index] = self._create_new_index(
                embedding_dim=self.embedding_dim,
                metric_type=self.metric_type,
                index_factory=self.faiss_index_factory_str,
            )
        if not self.faiss_indexes[index].ntotal:
            self.reset_vector_ids(index)

    def _create_new_index(
        self,
        embedding_dim: int,
        metric_type: int,  # noqa: ARG002
        index_factory: str = "Flat",
        **hnsw: int,  # noqa: ARG002
    ) -> Any:
        """As the parent does, which takes inner product and its own HNSW parameters in every index but the first."""
        return super()._create_new_index(embedding_dim, self.metric_type, index_factory, **self._hnsw)

    def get_embedding_count(self, index: str | None = None, filters: FilterType | None = None) -> int:
        """
        Vectors of an index, as the parent counts them.

        :param index: which; None: the default index.
        :param filters: for the parent, which takes none.
        """
        index = index or self.index
        return super().get_embedding_count(index, filters) if filters or index in self.faiss_indexes else 0
