"""Loading pipelines: one of each component, and clear words where it cannot be done."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from fastapi.testclient import TestClient
from haystack.errors import HaystackError
from typer.testing import CliRunner

from haystack_deformer import rest_api
from haystack_deformer.cli import app as cli
from haystack_deformer.rest_api import ServerSettings, create_app


def test_pipelines_share_their_components(served: TestClient) -> None:
    pipelines = served.app.state.service.pipelines  # type: ignore[attr-defined]
    store = pipelines.query.get_node("Reader").document_store
    assert pipelines.document_store is store
    assert pipelines.indexing.get_document_store() is store
    assert pipelines.query.get_node("Retriever") is pipelines.indexing.get_node("Retriever")


def test_a_second_server_on_one_store_is_refused(write_pipelines: Any, tmp_path: Path) -> None:
    settings = ServerSettings(pipeline=write_pipelines(tmp_path))
    with TestClient(create_app(settings)), pytest.raises(ValueError, match=r"Another server.*store\.db"):
        create_app(settings)
    with TestClient(create_app(settings)):
        pass


def test_documents_are_found_after_a_restart(write_pipelines: Any, tmp_path: Path) -> None:
    settings = ServerSettings(pipeline=write_pipelines(tmp_path))
    with TestClient(create_app(settings)) as client:
        assert client.post("/file-upload", files={"files": ("a.txt", b"paris is in france")}).status_code == 200
    with TestClient(create_app(settings)) as client:
        response = client.post("/query", json={"query": "where?"})
        assert [document["content"] for document in response.json()["documents"]] == ["paris is in france"]
        assert 'states;desc="1 found and 0 computed"' in response.headers["server-timing"]


def test_a_query_of_two_stores_is_served_from_the_one_that_is_written_to(
    write_pipelines: Any, tmp_path: Path, tiny_deformer: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Haystack raises where it looks for the store of such a pipeline."""
    parameters = f"{{deformer_model: {tiny_deformer}, use_bm25: true, use_gpu: false, progress_bar: false}}"
    changes = {
        "  - name: Converter\n": "  - name: Other\n    type: DeFormerInMemoryDocumentStore\n"
        f"    params: {parameters}\n"
        "  - name: Words\n    type: BM25Retriever\n    params: {document_store: Other}\n"
        "  - name: Join\n    type: JoinDocuments\n"
        "  - name: Converter\n",
        "      - {name: Reader, inputs: [Retriever]}\n": "      - {name: Join, inputs: [Words, Retriever]}\n"
        "      - {name: Reader, inputs: [Join]}\n",
        "      - {name: Retriever, inputs: [Query]}\n": "      - {name: Words, inputs: [Query]}\n"
        "      - {name: Retriever, inputs: [Query]}\n",
    }
    settings = ServerSettings(pipeline=write_pipelines(tmp_path, **changes))
    with TestClient(create_app(settings)) as client:
        pipelines = client.app.state.service.pipelines  # type: ignore[attr-defined]
        assert pipelines.document_store is pipelines.indexing.get_node("DocumentStore")
        assert client.post("/file-upload", files={"files": ("a.txt", b"paris is in france")}).status_code == 200
        assert len(client.post("/query", json={"query": "where is paris?"}).json()["documents"]) == 1
    assert "has several document stores" in caplog.text


def test_an_indexing_pipeline_that_does_not_embed(write_pipelines: Any, tmp_path: Path) -> None:
    changes = {
        "{name: Retriever, inputs: [Converter]}": "{name: DocumentStore, inputs: [Converter]}",
        "      - {name: DocumentStore, inputs: [Retriever]}\n": "",
    }
    settings = ServerSettings(pipeline=write_pipelines(tmp_path, **changes))
    with TestClient(create_app(settings)) as client:
        for text in (b"paris is in france", b"berlin is in germany"):
            assert client.post("/file-upload", files={"files": ("a.txt", text)}).status_code == 200
        assert len(client.post("/query", json={"query": "where?"}).json()["documents"]) == 2


def test_haystacks_own_store_and_leftovers(write_pipelines: Any, tmp_path: Path, tiny_deformer: Path) -> None:
    old, new = (tmp_path / f"passing-{name}" for name in ("old", "new"))
    old.mkdir()
    new.mkdir()
    os.utime(old, (0, 0))
    changes = {
        "DeFormerFAISSDocumentStore": "FAISSDocumentStore",
        f", deformer_model: {tiny_deformer}": "",
        "{document_store: DocumentStore, use_gpu": f"{{model_name_or_path: {tiny_deformer}, use_gpu",
    }
    settings = ServerSettings(pipeline=write_pipelines(tmp_path, **changes), file_upload_path=tmp_path)
    with TestClient(create_app(settings)) as client:
        assert client.post("/file-upload", files={"files": ("a.txt", b"paris is in france")}).status_code == 200
        response = client.post("/query", json={"query": "where?"})
        assert len(response.json()["documents"]) == 1
        assert '"0 found and 1 computed"' in response.headers["server-timing"]
    assert new.exists()
    assert not old.exists()


def test_documents_in_sqlites_memory_are_refused(write_pipelines: Any, tmp_path: Path) -> None:
    path = write_pipelines(tmp_path, **{f"sqlite:///{tmp_path}/store.db": "sqlite://"})
    with pytest.raises(ValueError, match=r"sqlite:///documents\.db"):
        create_app(ServerSettings(pipeline=path))


def test_no_indexing_pipeline(write_pipelines: Any, tmp_path: Path) -> None:
    settings = ServerSettings(pipeline=write_pipelines(tmp_path), indexing_pipeline="other")
    with TestClient(create_app(settings)) as client:
        response = client.post("/file-upload", files={"files": ("a.txt", b"paris")})
    assert response.status_code == 501
    assert response.json() == {"errors": ["Indexing Pipeline is not configured."]}


def test_what_cannot_be_loaded(write_pipelines: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no pipeline file.*nothing\.yaml"):
        ServerSettings(pipeline=tmp_path / "nothing.yaml")
    path = write_pipelines(tmp_path)
    with pytest.raises(ValueError, match="concurrency_limit"):
        ServerSettings(pipeline=path, concurrency_limit=0)
    with pytest.raises(HaystackError, match="other"):
        create_app(ServerSettings(pipeline=path, query_pipeline="other"))
    for host in ("https://a.example", "a.example:80", "*a.example", "a.*"):
        with pytest.raises(ValueError, match="allowed_hosts has"):
            ServerSettings(pipeline=path, allowed_hosts=(host,))
    for origin in ("https://a.example/", "https://A.example", "a.example", "https://a.example/page", "https://"):
        with pytest.raises(ValueError, match="cors_origins has"):
            ServerSettings(pipeline=path, cors_origins=(origin,))
    for origin in ("*", "http://localhost:3000", "https://[::1]:8443", "chrome-extension://abcdef"):
        assert ServerSettings(pipeline=path, cors_origins=(origin,)).cors_origins == (origin,)


@pytest.mark.parametrize("content", [b"pipelines: [", b"a: b: c", b"pipelines: \xff"], ids=range(3))
def test_what_is_no_yaml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pipelines.yaml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"pipelines\.yaml' is no YAML file"):
        create_app(ServerSettings(pipeline=path))
    result = CliRunner().invoke(cli, ["serve", "--pipeline", str(path)])
    assert result.exit_code == 2
    assert "Error: " in result.output


@pytest.mark.parametrize("options", [["--pipeline", "nothing"], ["--query-pipeline", "nothing"]])
def test_the_command_says_why_it_cannot_start(write_pipelines: Any, tmp_path: Path, options: list[str]) -> None:
    result = CliRunner().invoke(cli, ["serve", "--pipeline", str(write_pipelines(tmp_path)), *options])
    assert result.exit_code == 2
    assert "nothing" in result.output


def test_there_are_threads_for_all_that_the_limits_let_in(write_pipelines: Any, tmp_path: Path) -> None:
    settings = ServerSettings(pipeline=write_pipelines(tmp_path, "memory"), concurrency_limit=50)
    with TestClient(create_app(settings)) as client:
        assert client.portal is not None
        limiter = client.portal.call(to_thread.current_default_thread_limiter)
        # questions, uploads and records, and requests that have no limit besides
        assert limiter.total_tokens > 3 * 50


def test_environment(write_pipelines: Any, tmp_path: Path) -> None:
    path = write_pipelines(tmp_path)
    settings = ServerSettings.from_environment(
        {
            "PIPELINE_YAML_PATH": str(path),
            "QUERY_PIPELINE_NAME": "q",
            "CONCURRENT_REQUEST_PER_WORKER": "7",
            "ROOT_PATH": "/",
            "CORS_ORIGINS": "https://a.example https://b.example",
            "ALLOWED_HOSTS": "a.example *.b.example",
            "MAX_UPLOAD_DOCUMENTS": "5",
            "INDEXING_PIPELINE_NAME": "",
            "MAX_UPLOAD_MEGABYTES": "",
        }
    )
    assert settings == ServerSettings(
        pipeline=path,
        query_pipeline="q",
        concurrency_limit=7,
        cors_origins=("https://a.example", "https://b.example"),
        allowed_hosts=("a.example", "*.b.example"),
        max_upload_documents=5,
    )
    with pytest.raises(ValueError, match="PIPELINE_YAML_PATH"):
        ServerSettings.from_environment({})
    with pytest.raises(ValueError, match=r"CONCURRENT_REQUEST_PER_WORKER.*'many'"):
        ServerSettings.from_environment({"PIPELINE_YAML_PATH": str(path), "CONCURRENT_REQUEST_PER_WORKER": "many"})


def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch, write_pipelines: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(rest_api, "find_spec", lambda name: None if name == "fastapi" else object())
    result = CliRunner().invoke(cli, ["serve", "--pipeline", str(write_pipelines(tmp_path))])
    assert result.exit_code == 2
    assert 'fastapi: pip install "haystack-deformer[rest]"' in result.output


def test_the_official_server(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "haystack_deformer.rest_api.official"
    with pytest.raises(ImportError, match="rest_api"):
        importlib.import_module(name)
    application = types.ModuleType("rest_api.application")
    application.app = object()  # type: ignore[attr-defined]
    package = types.ModuleType("rest_api")
    package.__spec__ = importlib.machinery.ModuleSpec("rest_api", None)
    monkeypatch.setitem(sys.modules, "rest_api", package)
    monkeypatch.setitem(sys.modules, "rest_api.application", application)
    assert importlib.import_module(name).app is application.app
    del sys.modules[name]


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys, haystack_deformer.cli, haystack_deformer.rest_api\n"
        "assert not {'torch', 'haystack', 'fastapi', 'uvicorn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
