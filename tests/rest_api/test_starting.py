"""What a server looks at before it answers: that the store is its own, and that its parts fit each other."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from haystack.errors import PipelineConfigError

from haystack_deformer.rest_api import ServerSettings, create_app


def upload(client: TestClient, text: str) -> int:
    return client.post("/file-upload", files={"files": (f"{text}.txt", text.encode())}).status_code


def found(client: TestClient) -> list[str]:
    return sorted(d["content"] for d in client.post("/query", json={"query": "where?"}).json()["documents"])


def test_another_name_of_the_file_is_no_other_store(write_pipelines: Any, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first = ServerSettings(pipeline=write_pipelines(tmp_path / "a"))
    (tmp_path / "b" / "store.db").symlink_to(tmp_path / "a" / "store.db")
    second = ServerSettings(pipeline=write_pipelines(tmp_path / "b"))
    with TestClient(create_app(first)) as client:
        assert upload(client, "paris") == 200
        with pytest.raises(ValueError, match="Another server has this document store open"):
            create_app(second)
    with TestClient(create_app(second)) as client:
        assert found(client) == ["paris"]
    # the states too are those of the file
    assert not (tmp_path / "b" / "store.representations").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedding_dim: 32": "embedding_dim: 33"}, r"EmbeddingRetriever makes vectors of 32 .*embedding_dim: 32"),
        (
            {"embedding_dim: 32": "embedding_dim: 32, faiss_index_factory_str: 'IVF2,Flat'"},
            r"'IVF2,Flat' must be trained .*\['document'\] are not",
        ),
    ],
    ids=["width", "untrained"],
)
def test_a_store_that_takes_no_vectors_of_the_retriever(
    write_pipelines: Any, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        create_app(ServerSettings(pipeline=write_pipelines(tmp_path, **changes)))
    # nothing of the attempt is left that keeps the next server out
    create_app(ServerSettings(pipeline=write_pipelines(tmp_path))).state.service.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"deformer_model: /": "deformer_model: /nowhere/"}, r"component 'DocumentStore': .*nowhere"),
        ({"model_format: sentence_transformers": "model_format: none"}, r"component 'Retriever': .*none"),
    ],
    ids=["model", "format"],
)
def test_a_component_that_cannot_be_loaded_is_named_with_the_reason(
    write_pipelines: Any, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(PipelineConfigError, match=message) as raised:
        create_app(ServerSettings(pipeline=write_pipelines(tmp_path, **changes)))
    assert "stacktrace" not in str(raised.value)


@pytest.fixture
def settings(write_pipelines: Any, tmp_path: Path) -> ServerSettings:
    """Of a server that has kept the vector of one document."""
    given = ServerSettings(pipeline=write_pipelines(tmp_path))
    with TestClient(create_app(given)) as client:
        assert upload(client, "paris") == 200
    return given


def test_kept_vectors_that_are_damaged_are_made_again(
    settings: ServerSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "store.vectors" / "CURRENT").write_text("damage")
    with TestClient(create_app(settings)) as client:
        assert "store.vectors.damaged" in caplog.text
        assert (found(client), client.app.state.service.stores[0]._vectors.count) == (["paris"], 1)  # type: ignore[attr-defined]


def test_kept_vectors_that_vanish_take_nothing_with_them(
    settings: ServerSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with TestClient(create_app(settings)) as client:
        shutil.rmtree(tmp_path / "store.vectors")
        assert upload(client, "berlin") == 200
        assert found(client) == ["berlin", "paris"]
        assert client.post("/documents/delete_by_filters", json={"filters": {"name": "paris.txt"}}).json() is True
        assert found(client) == ["berlin"]
    assert "are computed" in caplog.text
