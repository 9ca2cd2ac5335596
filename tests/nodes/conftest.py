"""Documents, a store that holds them, a reader without one, over the tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest
from haystack.schema import Document

from haystack_deformer.document_stores import DeFormerInMemoryDocumentStore
from haystack_deformer.nodes import DeFormerReader

TEXTS = [
    "paris is the capital of france. " * 8,
    "berlin is a city in germany, and the capital.",
    "python \U0001f40d is a language; cafe\u0301 a place",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd 123",
]


@pytest.fixture
def documents() -> list[Document]:
    return [Document(content=text, meta={"name": f"d{i}"}) for i, text in enumerate(TEXTS)]


@pytest.fixture
def store(tiny_deformer: Path, documents: list[Document]) -> DeFormerInMemoryDocumentStore:
    store = DeFormerInMemoryDocumentStore(deformer_model=str(tiny_deformer), progress_bar=False)
    store.write_documents(documents)
    return store


@pytest.fixture
def plain(tiny_deformer: Path) -> DeFormerReader:
    """A reader without a store."""
    return DeFormerReader(str(tiny_deformer), progress_bar=False)
