"""What Haystack's store in memory lacks: that threads can share it, and that it does what it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

from haystack.document_stores.filter_utils import LogicalFilterClause
from haystack.schema import Document, Label

from haystack_deformer.document_stores.parents import MemoryStore
from haystack_deformer.document_stores.repairs.filters import check_filters
from haystack_deformer.document_stores.repairs.guarding import Guarded, guards


@guards("get_label_count", "get_all_labels", by="label_guard")
@guards(
    "get_document_by_id",
    "get_documents_by_id",
    "query_by_embedding",
    "query_by_embedding_batch",
    "update_embeddings",
    "get_document_count",
    "get_embedding_count",
    "update_document_meta",
    "get_all_documents",
    "get_all_documents_generator",
    "delete_index",
)
class GuardedMemory(Guarded, MemoryStore):
    """Dictionaries that one thread reads at a time while another changes them; BM25 with filters, and without texts."""

    def write_documents(self, documents: Any, index: str | None = None, *args: Any, **kwargs: Any) -> None:
        """As the parent does, which puts them among labels as well, and then can give neither."""
        with self.guard:
            self.check_kind(index, Document)
            super().write_documents(documents, index, *args, **kwargs)

    def write_labels(self, labels: Any, index: str | None = None, *args: Any, **kwargs: Any) -> None:
        """As the parent does, which puts them among documents as well, and then can give neither."""
        with self.label_guard:
            self.check_kind(index, Label)
            super().write_labels(labels, index, *args, **kwargs)

    def delete_documents(self, index: str | None = None, *args: Any, **kwargs: Any) -> None:
        """As the parent does; of an index of labels those, of which it would find none by ids and filters."""
        with self.guard:
            if not self._is_of_others(index, Document):
                super().delete_documents(index, *args, **kwargs)
                return
        self.delete_labels(index, *args, **kwargs)

    def delete_labels(self, index: str | None = None, *args: Any, **kwargs: Any) -> None:
        """As the parent does, which deletes documents as well, and would leave their states."""
        with self.label_guard:
            self.check_kind(index, Label)
            super().delete_labels(index, *args, **kwargs)

    def check_kind(self, index: str | None, kind: type) -> None:
        """
        Refuse an index of documents for labels, and one of labels for documents: both are in one dictionary.

        :param index: its name; None: the default one of the kind.
        :param kind: `Document` or `Label`.
        :raises ValueError: names the index.
        """
        if self._is_of_others(index, kind):
            other = "labels" if kind is Document else "documents"
            msg = f"The index {index!r} is of {other} in this store: give another for {kind.__name__.lower()}s."
            raise ValueError(msg)

    def _is_of_others(self, index: str | None, kind: type) -> bool:
        held = next(iter(self.indexes.get(index, {}).values()), None)
        others = self.label_index if kind is Document else self.index
        return index == others or not isinstance(held, (kind, type(None)))

    def query(self, *args: Any, **kwargs: Any) -> list[Any]:
        """As the parent does, which passes over filters, and raises where there was never a text, or none is left."""
        arguments = signature(super().query).bind(*args, **kwargs).arguments
        filters = arguments.pop("filters", None)
        check_filters(filters)
        with self.guard:
            if self._finds_nothing(arguments.get("index")):
                return []
            if not filters:
                return super().query(**arguments)
            # of all, since how many of the best do not fit nobody knows
            top_k = arguments.pop("top_k", signature(super().query).parameters["top_k"].default)
            found = super().query(**arguments, top_k=None)
        fits = LogicalFilterClause.parse(filters).evaluate
        with _comparable(filters):
            return [document for document in found if fits(document.meta)][:top_k]

    def query_batch(self, *args: Any, **kwargs: Any) -> list[list[Any]]:
        """As the parent does, which passes over filters; one for all questions, or a list with one for each."""
        arguments = signature(super().query_batch).bind(*args, **kwargs).arguments
        queries, filters = arguments.pop("queries"), arguments.pop("filters", None)
        each = filters if isinstance(filters, list) else [filters] * len(queries)
        if len(each) != len(queries):
            msg = f"{len(each)} filters for {len(queries)} questions: give one for all, or a list with one for each."
            raise ValueError(msg)
        with self.guard:
            return [self.query(query, own, **arguments) for query, own in zip(queries, each, strict=True)]

    def _query(self, *args: Any, **kwargs: Any) -> list[Any]:
        """As the parent does, which takes the vectors away before it looks for documents that have none."""
        arguments = signature(super()._query).bind(*args, **kwargs).arguments
        if arguments.get("only_documents_without_embedding"):
            arguments["return_embedding"] = True
        with _comparable(arguments.get("filters")):
            return super()._query(**arguments)

    def update_bm25(self, index: str | None = None) -> None:
        """As the parent does, which divides by the number of different words."""
        with self.guard:
            if self._has_words(index):
                super().update_bm25(index=index)

    def _finds_nothing(self, index: str | None) -> bool:
        # a store without BM25 is the parent's to refuse
        return self.use_bm25 and not self._has_words(index)

    def _has_words(self, index: str | None) -> bool:
        """Whether a text has a word that BM25 counts, or there is a table."""
        words = self.bm25_tokenization_regex
        return any(
            document.content_type == "table" or (document.content_type == "text" and words(document.content.lower()))
            for document in self.indexes.get(index or self.index, {}).values()
            if isinstance(document, Document)
        )


@contextmanager
def _comparable(filters: Any) -> Iterator[None]:
    try:
        yield
    except TypeError as error:
        if not filters:
            raise
        msg = f"The filters {filters!r} compare a field of some document with what has no order beside it: {error}."
        raise ValueError(msg) from error
