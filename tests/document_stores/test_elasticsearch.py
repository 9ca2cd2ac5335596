"""The store over Elasticsearch, by the real client: from documents to answers, and after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from haystack import Pipeline
from haystack.document_stores import ElasticsearchDocumentStore
from haystack.nodes import BM25Retriever
from haystack.pipelines import ExtractiveQAPipeline
from haystack.schema import Document

from haystack_deformer import DeFormerElasticsearchDocumentStore, DeFormerReader
from tests.document_stores.fake_search_engine import FakeEngine
from tests.document_stores.search_engine_server import serving

pytest.importorskip("elasticsearch")

PARIS, BERLIN = "paris is in france", "berlin is in germany"


@pytest.fixture
def port() -> Iterator[int]:
    with serving(FakeEngine()) as port:
        yield port


@pytest.fixture
def make(port: int, tiny_deformer: Path, tmp_path: Path) -> Any:
    """A factory of stores over one engine and one folder of states: each is what a process would have."""

    def make(**parameters: Any) -> DeFormerElasticsearchDocumentStore:
        given = {"deformer_model": str(tiny_deformer), "representation_path": str(tmp_path / "states"), **parameters}
        return DeFormerElasticsearchDocumentStore(host="127.0.0.1", port=port, **given)

    return make


def test_from_documents_to_answers(make: Any) -> None:
    store = make()
    store.write_documents([Document(content=text, meta={"name": text[:5]}) for text in (PARIS, BERLIN)])
    assert store.describe_representations()["count"] == 2
    reader = DeFormerReader(store.deformer_model, document_store=store, use_gpu=False, progress_bar=False)
    result = ExtractiveQAPipeline(reader, BM25Retriever(store)).run("where is paris")
    assert [document.content for document in result["documents"]] == [PARIS, BERLIN]
    assert [document.meta for document in result["documents"]] == [{"name": "paris"}, {"name": "berli"}]
    assert result["answers"][0].context in (PARIS, BERLIN)


def test_another_process_finds_documents_and_states(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    make().write_documents([Document(content=PARIS)])
    store = make()
    reader = DeFormerReader(store.deformer_model, document_store=store, use_gpu=False, progress_bar=False)
    caplog.clear()
    reader.predict("where is paris", store.get_all_documents())
    assert "were not stored" not in caplog.text
    assert store.update_representations() == 0
    store.delete_documents()
    assert store.describe_representations()["count"] == store.get_document_count() == 0


def test_documents_that_haystacks_store_wrote(make: Any, port: int) -> None:
    ElasticsearchDocumentStore(host="127.0.0.1", port=port).write_documents([Document(content=PARIS)])
    store = make()
    assert store.update_representations() == 1
    assert store.describe_representations()["count"] == 1
    assert [(document.content, document.meta) for document in store.get_all_documents()] == [(PARIS, {})]


def test_yaml(make: Any, port: int, tiny_deformer: Path, tmp_path: Path) -> None:
    make().write_documents([Document(content=PARIS)])
    path = tmp_path / "pipelines.yaml"
    path.write_text(
        f"""
version: ignore
components:
  - name: DocumentStore
    type: DeFormerElasticsearchDocumentStore
    params: {{host: 127.0.0.1, port: {port}, deformer_model: {tiny_deformer}, representation_path: {tmp_path}/states}}
  - name: Retriever
    type: BM25Retriever
    params: {{document_store: DocumentStore}}
  - name: Reader
    type: DeFormerReader
    params: {{document_store: DocumentStore, use_gpu: false, progress_bar: false}}
pipelines:
  - name: query
    nodes:
      - {{name: Retriever, inputs: [Query]}}
      - {{name: Reader, inputs: [Retriever]}}
""",
        encoding="utf-8",
    )
    pipeline = Pipeline.load_from_yaml(path)
    assert [document.content for document in pipeline.run("where is paris")["documents"]] == [PARIS]
    pipeline.save_to_yaml(tmp_path / "saved.yaml")
    assert Pipeline.load_from_yaml(tmp_path / "saved.yaml").run("where is paris")["documents"]


def test_what_cannot_be_used(make: Any, port: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="representation_path is missing: the documents are in Elasticsearch"):
        make(representation_path=None)
    with pytest.raises(ValueError, match="recreate_index must be true or false, got 'perhaps'"):
        make(recreate_index="perhaps")
    with pytest.raises(ConnectionError, match="Initial connection to Elasticsearch failed"):
        DeFormerElasticsearchDocumentStore(
            host="127.0.0.1", port=1, deformer_model=make().deformer_model, representation_path=str(tmp_path / "states")
        )
