"""One application for all tests of the folder, over the tiny models: loading them is what takes time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from haystack_deformer.rest_api import ServerSettings, create_app

PIPELINES = """
version: ignore
components:
  - name: DocumentStore
    type: {store}
    params: {store_params}
  - name: Retriever
    type: EmbeddingRetriever
    params: {{document_store: DocumentStore, embedding_model: {encoder}, use_gpu: false, progress_bar: false,
              model_format: sentence_transformers}}
  - name: Reader
    type: DeFormerReader
    params: {{document_store: DocumentStore, use_gpu: false, progress_bar: false}}
  - name: Converter
    type: TextConverter
pipelines:
  - name: query
    nodes:
      - {{name: Retriever, inputs: [Query]}}
      - {{name: Reader, inputs: [Retriever]}}
  - name: indexing
    nodes:
      - {{name: Converter, inputs: [File]}}
      - {{name: Retriever, inputs: [Converter]}}
      - {{name: DocumentStore, inputs: [Retriever]}}
"""


@pytest.fixture(scope="session")
def tiny_sentence_encoder(make_tiny_bert: Any) -> Path:
    """An encoder that sentence-transformers loads."""
    return make_tiny_bert(1, head=False, layers=1)


@pytest.fixture(scope="session")
def write_pipelines(tiny_deformer: Path, tiny_sentence_encoder: Path) -> Any:
    """A factory of pipeline files over a store of either kind, its documents beside the file."""

    def write(folder: Path, kind: str = "faiss", **changes: str) -> Path:
        store = {"faiss": "DeFormerFAISSDocumentStore", "memory": "DeFormerInMemoryDocumentStore"}[kind]
        url = f", sql_url: 'sqlite:///{folder}/store.db'" if kind == "faiss" else ", use_gpu: false"
        params = f"{{embedding_dim: 32, similarity: cosine, deformer_model: {tiny_deformer}, progress_bar: false{url}}}"
        text = PIPELINES.format(store=store, store_params=params, encoder=tiny_sentence_encoder)
        for old, new in changes.items():
            text = text.replace(old, new)
        path = folder / "pipelines.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session", params=["faiss", "memory"])
def served(request: pytest.FixtureRequest, write_pipelines: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The application's client over a store of either kind."""
    folder = tmp_path_factory.mktemp("served")
    settings = ServerSettings(
        pipeline=write_pipelines(folder, request.param), file_upload_path=folder / "uploads", max_upload_megabytes=1
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(served: TestClient) -> Iterator[TestClient]:
    """The same, without documents or labels."""
    yield served
    store = served.app.state.service.document_store  # type: ignore[attr-defined]
    store.delete_documents()
    store.delete_labels()


@pytest.fixture
def uploaded(client: TestClient) -> TestClient:
    """The same, with two documents that were uploaded together."""
    files = [
        ("files", ("france.txt", b"paris is the capital of france, a city on a river.")),
        ("files", ("germany.txt", b"berlin is the capital of germany.")),
    ]
    response = client.post("/file-upload", files=files, data={"meta": '{"kind": "city"}'})
    assert response.status_code == 200, response.text
    return client
