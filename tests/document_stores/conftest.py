"""Stores of both kinds over the tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from haystack_deformer.document_stores import DeFormerFAISSDocumentStore, DeFormerInMemoryDocumentStore
from haystack_deformer.passages import PassageEncoder, load_encoder
from tests.document_stores.embedded import DIMENSION, vector


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
            # several stores on one file, with vectors in the first alone
            "validate_index_sync": False,
            **parameters,
        }
        return DeFormerFAISSDocumentStore(**values)

    return make


@pytest.fixture(params=["Flat", "HNSW", "IVF2,Flat"])
def faiss_store(request: pytest.FixtureRequest, make_faiss: Any) -> Any:
    """A store over each kind of FAISS index, ready for vectors."""
    store = make_faiss(embedding_dim=DIMENSION, faiss_index_factory_str=request.param, similarity="l2")
    if request.param.startswith("IVF"):
        store.train_index(embeddings=np.stack([vector(number) for number in range(100)]))
        store.faiss_indexes["document"].nprobe = 2
    return store


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
def store(make_store: Any) -> Any:
    """A store of either kind."""
    return make_store()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that went through the lower layers, as they go."""
    texts: list[str] = []
    encode = PassageEncoder.encode

    def recording(self: PassageEncoder, passages: Any, **parameters: Any) -> Any:
        texts.extend(passages)
        return encode(self, passages, **parameters)

    monkeypatch.setattr(PassageEncoder, "encode", recording)
    return texts


@pytest.fixture
def stored() -> Any:
    """Tells which of some texts have states in a store, and that there are no states of others."""

    def look(store: Any, *texts: str) -> list[str]:
        representations = store.representations
        keys = {representations.key(text): text for text in texts}
        assert set(representations.keys()) <= set(keys), "states of a text that was not asked for"
        return [text for key, text in keys.items() if representations.contains([key])[0]]

    return look
