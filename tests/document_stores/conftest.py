"""Stores of both kinds over the tiny model."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.document_stores import DeFormerFAISSDocumentStore, DeFormerInMemoryDocumentStore
from haystack_deformer.passages import PassageEncoder, load_encoder


@pytest.fixture(scope="session", autouse=True)
def loaded(tiny_deformer: Path) -> PassageEncoder:
    """Held for the session, so that every store shares the weights instead of loading them."""
    return load_encoder(tiny_deformer)


@pytest.fixture
def make_faiss(tiny_deformer: Path, tmp_path: Path) -> Any:
    """A factory of stores over one SQLite file."""

    def make(**parameters: Any) -> DeFormerFAISSDocumentStore:
        values = {
            "sql_url": f"sqlite:///{tmp_path}/documents.db",
            "deformer_model": str(tiny_deformer),
            "progress_bar": False,
            **parameters,
        }
        return DeFormerFAISSDocumentStore(**values)

    return make


@pytest.fixture
def make_memory(tiny_deformer: Path) -> Any:
    """A factory of stores in memory."""

    def make(**parameters: Any) -> DeFormerInMemoryDocumentStore:
        values = {"deformer_model": str(tiny_deformer), "progress_bar": False, "use_gpu": False, **parameters}
        return DeFormerInMemoryDocumentStore(**values)

    return make


@pytest.fixture(params=["faiss", "memory"])
def make_store(request: pytest.FixtureRequest, make_faiss: Any, make_memory: Any) -> Any:
    """Either factory."""
    return make_faiss if request.param == "faiss" else make_memory


@pytest.fixture
def store(make_store: Any) -> Iterator[Any]:
    """A store of either kind."""
    made = make_store()
    yield made
    del made
    gc.collect()
