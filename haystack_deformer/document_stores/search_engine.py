"""What the hook asks the stores over a search engine: by Haystack's own ways to Elasticsearch and OpenSearch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from haystack.document_stores.filter_utils import LogicalFilterClause
from haystack.schema import FilterType

from haystack_deformer.document_stores.access import DocumentAccess
from haystack_deformer.document_stores.batches import IDS_AT_ONCE, batches
from haystack_deformer.document_stores.reference import REPRESENTATION_META_KEY
from haystack_deformer.document_stores.stored_document import StoredDocument, text_of

_FORBIDDEN = 403
_NOT_FOUND = 404


class SearchEngineDocumentAccess(DocumentAccess):
    """
    SearchEngineDocumentStore and its children.

    Their reading methods fail where there is no such index, and on hits that are no documents: labels, and documents
    without content. Here the first are passed over, and hits are taken as they are.
    """

    def indexes(self) -> list[str]:
        """The indexes with references, as far as the store's user may see them, and those that were written to."""
        return self.listing()[0]

    def listing(self) -> tuple[list[str], bool]:
        """The indexes, and whether the engine lists its own: see :meth:`DocumentAccess.listing`."""
        listed = self._listed()
        there = listed or []
        written = [name for name in super().indexes() if name not in there and self.exists(name)]
        return [*there, *written], listed is not None

    def exists(self, index: str) -> bool:
        """Whether there is an index, or an alias of one: see :meth:`DocumentAccess.exists`."""
        return bool(self.store._index_exists(index, **self.headers))  # noqa: SLF001

    def count(self, index: str, filters: FilterType | None = None) -> int:
        """Number of documents: see :meth:`DocumentAccess.count`."""
        return super().count(index, filters) if self._ready(index) else 0

    def documents(
        self, index: str, filters: FilterType | None = None, batch_size: int = 1_000
    ) -> Iterator[StoredDocument]:
        """Go through the documents of an index: see :meth:`DocumentAccess.documents`."""
        query: dict[str, Any] = {"bool": {}}
        if filters:
            query["bool"]["filter"] = LogicalFilterClause.parse(filters).convert_to_elasticsearch()
        return self._hits(index, query, batch_size) if self._ready(index) else iter(())

    def by_ids(self, ids: Collection[str], index: str | None = None) -> Iterator[StoredDocument]:
        """The documents with some ids: see :meth:`DocumentAccess.by_ids`."""
        for name in filter(self._ready, self.indexes() if index is None else [index]):
            for batch in batches(ids, IDS_AT_ONCE):
                yield from self._hits(name, {"ids": {"values": batch}})

    def referring(self, references: Collection[str]) -> Iterator[StoredDocument]:
        """The documents whose meta carries one of some references: see :meth:`DocumentAccess.referring`."""
        for name in filter(self._ready, self.indexes()):
            for batch in batches(references, IDS_AT_ONCE):
                yield from self._hits(name, {"bool": {"filter": {"terms": {REPRESENTATION_META_KEY: batch}}}})

    def set_references(self, index: str, references: Mapping[str, str]) -> None:
        """Write references into the meta, many at once: see :meth:`DocumentAccess.set_references`."""
        updates = [
            {"_op_type": "update", "_index": index, "_id": identifier, "doc": {REPRESENTATION_META_KEY: reference}}
            for identifier, reference in references.items()
        ]
        if not updates:
            return
        try:
            self.store._bulk(updates, refresh=self.store.refresh_type, **self.headers)  # noqa: SLF001
        except Exception as error:
            # another process may have deleted some meanwhile: the client stops there, and the others need theirs
            gone = _missing(error)
            if not gone:
                raise
            self.set_references(index, {name: value for name, value in references.items() if name not in gone})

    def _listed(self) -> list[str] | None:
        """The indexes whose mapping has references; None where the store's user may not list indexes."""
        try:
            found = self.store._index_get(index="*", **self.headers)  # noqa: SLF001
        except Exception as error:
            # each client has exceptions of its own, with the status in common
            if getattr(error, "status_code", None) != _FORBIDDEN:
                raise
            return None
        return [
            name for name, about in found.items() if REPRESENTATION_META_KEY in about["mappings"].get("properties", {})
        ]

    def _ready(self, index: str) -> bool:
        """Whether there is an index; what was written to it can be found then."""
        if not self.exists(index):
            return False
        if self.store.refresh_type != "wait_for":
            self.store._index_refresh(index, self.headers.get("headers"))  # noqa: SLF001
        return True

    def _hits(self, index: str, query: dict[str, Any], batch_size: int = IDS_AT_ONCE) -> Iterator[StoredDocument]:
        content = self.store.content_field
        hits = self.store._do_scan(  # noqa: SLF001
            self.store.client,
            query={"query": query, "_source": {"includes": [content, "content_type", REPRESENTATION_META_KEY]}},
            index=index,
            size=batch_size,
            scroll=self.store.scroll,
            **self.headers,
        )
        for hit in hits:
            source = hit["_source"]
            text = text_of(source.get(content), source.get("content_type"))
            yield StoredDocument(index, hit["_id"], text, source.get(REPRESENTATION_META_KEY))


def _missing(error: Exception) -> set[str]:
    """The documents that are not there, where a bulk failed for them alone."""
    # BulkIndexError of either client
    failed = [entry.get("update", {}) for entry in getattr(error, "errors", ()) if isinstance(entry, dict)]
    return {update["_id"] for update in failed} if all(u.get("status") == _NOT_FOUND for u in failed) else set()
