"""What a mixin stands ahead of: one of Haystack's stores for a type checker, nothing when the program runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from haystack.document_stores import BaseDocumentStore, FAISSDocumentStore, InMemoryDocumentStore

    AnyStore: TypeAlias = BaseDocumentStore
    FAISSStore: TypeAlias = FAISSDocumentStore
    MemoryStore: TypeAlias = InMemoryDocumentStore
else:
    # Haystack wraps the __init__ of all its classes: were a mixin one of them, super().__init__ would end at it
    AnyStore = FAISSStore = MemoryStore = object
