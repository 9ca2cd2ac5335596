"""The short reference that a stored document's meta carries, and how it is kept out of what the store hands out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from functools import wraps
from inspect import isgenerator
from typing import Any

from haystack.schema import Document

from haystack_deformer.document_stores.thread_value import ThreadValue

REPRESENTATION_META_KEY = "deformer_representation"
"""Field of the meta with the key of the document's states as 32 hexadecimal digits; filters can name it."""

READS = (
    "get_all_documents",
    "get_all_documents_generator",
    "get_document_by_id",
    "get_documents_by_id",
    "get_documents_by_vector_ids",
    "query",
    "query_batch",
    "query_by_embedding",
    "query_by_embedding_batch",
)
"""Methods of Haystack's stores that hand out documents; no store has all of them."""

_shown = ThreadValue(usual=False)


def references_shown() -> AbstractContextManager[None]:
    """Let this thread see the references in what stores hand out, while the block runs."""
    return _shown.during(value=True)


class HidesReferences:
    """A store that hands out documents without references in their meta, by whatever methods its parents have."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in READS:
            read = getattr(cls, name, None)
            if read is not None:
                setattr(cls, name, hiding_references(read))


def with_reference(document: Document, reference: str | None, left_out: Collection[str] = ()) -> Document:
    """
    A copy of a document for the store, so that the caller's own stays as it is.

    :param document: shares all but its meta with the copy.
    :param reference: of its states; None where there are none, whatever an earlier store left in the meta.
    :param left_out: other fields that a store left in the meta.
    """
    # in one step: a store in memory hands out its own documents, and another thread may write references meanwhile
    meta = dict(document.meta or {})
    for name in (REPRESENTATION_META_KEY, *left_out):
        meta.pop(name, None)
    if reference is not None:
        meta[REPRESENTATION_META_KEY] = reference
    changed = copy.copy(document)
    changed.meta = meta
    return changed


def hiding_references(read: Callable[..., Any]) -> Callable[..., Any]:
    """
    A method that hands out documents, less the references in their meta.

    A user gets back the meta that he wrote: equal to what another store returns, none of our bookkeeping in an answer's
    meta or a REST response, and nothing stale in documents that are written on to another store.

    :param read: the method.
    """
    if getattr(read, "hides_references", False):
        return read

    @wraps(read)
    def hidden(*args: Any, **kwargs: Any) -> Any:
        result = read(*args, **kwargs)
        return result if _shown.get() else _without_reference(result)

    hidden.hides_references = True  # type: ignore[attr-defined]
    return hidden


def _without_reference(result: Any) -> Any:
    if isinstance(result, Document):
        # most documents that pass here were just read for this call, but InMemoryDocumentStore hands out its own
        return with_reference(result, None) if REPRESENTATION_META_KEY in (result.meta or {}) else result
    if isinstance(result, list):
        return [_without_reference(item) for item in result]
    if isgenerator(result):
        return (_without_reference(item) for item in result)
    return result
