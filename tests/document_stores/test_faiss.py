"""What is FAISS's own: where the states are, save and load, YAML."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from haystack import Pipeline
from haystack.document_stores import FAISSDocumentStore, InMemoryDocumentStore
from haystack.schema import Document

from haystack_deformer.document_stores import DeFormerFAISSDocumentStore, DeFormerInMemoryDocumentStore

PARIS, BERLIN = "paris is in france", "berlin is in germany"


@pytest.mark.parametrize(
    ("made", "parent"),
    [
        (DeFormerFAISSDocumentStore, FAISSDocumentStore),
        (DeFormerInMemoryDocumentStore, InMemoryDocumentStore),
    ],
)
def test_the_parents_parameters_are_all_there_and_documented(made: type, parent: type) -> None:
    ours, theirs = (inspect.signature(c.__init__).parameters for c in (made, parent))
    assert list(ours)[: len(theirs)] == list(theirs)
    assert {name: p.default for name, p in ours.items() if name in theirs} == {n: p.default for n, p in theirs.items()}
    assert all(f":param {name}:" in (made.__doc__ or "") for name in ours if name != "self")


def test_states_are_beside_the_documents(make_faiss: Any, tmp_path: Path) -> None:
    store = make_faiss()
    store.write_documents([Document(content=PARIS)])
    assert Path(store.describe_representations()["path"]).parent == tmp_path / "documents.representations"
    assert make_faiss().representations.contains([store.representations.key(PARIS)]) == [True]


def test_states_are_where_they_were_asked_for(make_faiss: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    store = make_faiss(representation_path="elsewhere")
    monkeypatch.chdir("/")
    store.write_documents([Document(content=PARIS)])
    assert (tmp_path / "elsewhere").is_dir()


def test_the_empty_text_of_an_environment_variable_is_no_path(
    make_faiss: Any, make_memory: Any, tmp_path: Path
) -> None:
    assert make_faiss(representation_path="")._states.settings.path == tmp_path / "documents.representations"
    assert make_memory(representation_path="").describe_representations()["backend"] == "memory"


def test_documents_in_memory_have_their_states_there(make_faiss: Any) -> None:
    store = make_faiss(sql_url="sqlite://")
    store.write_documents([Document(content=PARIS)])
    assert store.describe_representations()["path"] is None


def test_a_path_that_is_a_file(make_faiss: Any, tmp_path: Path) -> None:
    (tmp_path / "documents.representations").write_text("x")
    with pytest.raises(RuntimeError, match="a file where a folder is expected"):
        make_faiss()
    assert not (tmp_path / "documents.db").exists()


def test_save_and_load(make_faiss: Any, tmp_path: Path, computed: list[str], tiny_deformer: Path) -> None:
    store = make_faiss(
        embedding_dim=4,
        similarity="l2",
        lower_layers=1,
        representation_codec="SQ8",
        representation_path=str(tmp_path / "states"),
    )
    vectors = np.eye(4, dtype=np.float32)[:2]
    store.write_documents(
        [Document(content=text, embedding=vector) for text, vector in zip((PARIS, BERLIN), vectors, strict=True)]
    )
    store.save(tmp_path / "index.faiss")
    computed.clear()

    loaded = DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss")
    assert (loaded.deformer_model, loaded.lower_layers) == (str(tiny_deformer), 1)
    assert loaded.update_representations() == 0
    assert loaded.describe_representations()["codec"] == "SQ8"
    assert loaded.query_by_embedding(vectors[1], top_k=1)[0].content == BERLIN
    # and once more, by __init__
    loaded.save(tmp_path / "again.faiss", tmp_path / "again.json")
    again = DeFormerFAISSDocumentStore(
        faiss_index_path=tmp_path / "again.faiss", faiss_config_path=tmp_path / "again.json"
    )
    assert again.get_document_count() == 2
    assert again.update_representations() == 0
    assert computed == []


def test_yaml_of_a_loaded_store(make_faiss: Any, tmp_path: Path) -> None:
    make_faiss(embedding_dim=8, representation_codec="SQ8", validate_index_sync=True).save(tmp_path / "index.faiss")
    pipeline = Pipeline()
    pipeline.add_node(DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss"), "Store", ["File"])
    pipeline.save_to_yaml(tmp_path / "pipeline.yaml")
    [component] = yaml.safe_load((tmp_path / "pipeline.yaml").read_text())["components"]
    assert component["params"].keys() == {"faiss_index_path", "deformer_model", "representation_codec"}
    loaded = Pipeline.load_from_yaml(tmp_path / "pipeline.yaml").get_node("Store")
    assert loaded.embedding_dim == 8
    assert loaded.describe_representations()["codec"] == "SQ8"
    everything = pipeline.get_node("Store").get_params(return_defaults=True)
    assert (everything["faiss_index"], everything["embedding_dim"]) == (None, 768)


def test_load_with_other_settings(make_faiss: Any, tmp_path: Path) -> None:
    store = make_faiss(representation_codec="SQ8")
    store.save(tmp_path / "index.faiss")
    loaded = DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss", representation_codec="SQfp16", lower_layers=1)
    assert loaded.describe_representations()["codec"] == "SQfp16"
    assert loaded.lower_layers == 1
    with pytest.raises(TypeError, match="similarity"):
        DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss", similarity="l2")
    with pytest.raises(ValueError, match="no other params besides faiss_config_path"):
        DeFormerFAISSDocumentStore(faiss_index_path=tmp_path / "index.faiss", similarity="l2")


def test_load_what_the_plain_store_saved(tmp_path: Path, tiny_deformer: Path) -> None:
    plain = FAISSDocumentStore(
        sql_url=f"sqlite:///{tmp_path}/documents.db", embedding_dim=4, similarity="l2", progress_bar=False
    )
    plain.write_documents([Document(content=PARIS, embedding=np.ones(4, dtype=np.float32))])
    plain.save(tmp_path / "index.faiss")
    with pytest.raises(ValueError, match="deformer_model is missing"):
        DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss")
    loaded = DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss", deformer_model=str(tiny_deformer))
    assert loaded.update_representations() == 1
    assert loaded.get_embedding_count() == 1


def test_yaml_round_trip(make_faiss: Any, tmp_path: Path, tiny_deformer: Path, monkeypatch: Any) -> None:
    store = make_faiss(lower_layers=1, representation_codec="SQ8", representation_batch_size=4)
    pipeline = Pipeline()
    pipeline.add_node(store, "Store", ["File"])
    pipeline.save_to_yaml(tmp_path / "pipeline.yaml")
    [component] = yaml.safe_load((tmp_path / "pipeline.yaml").read_text())["components"]
    assert component["type"] == "DeFormerFAISSDocumentStore"
    assert component["params"] == {
        "sql_url": f"sqlite:///{tmp_path}/documents.db",
        "deformer_model": str(tiny_deformer),
        "progress_bar": False,
        "validate_index_sync": False,
        "lower_layers": 1,
        "representation_codec": "SQ8",
        "representation_batch_size": 4,
    }
    pipeline.run(documents=[Document(content=PARIS)])

    monkeypatch.setenv("STORE_PARAMS_REPRESENTATION_BATCH_SIZE", "16")
    monkeypatch.setenv("STORE_PARAMS_EMBEDDING_DIM", "384")
    loaded = Pipeline.load_from_yaml(tmp_path / "pipeline.yaml").get_node("Store")
    assert isinstance(loaded, DeFormerFAISSDocumentStore)
    assert (loaded.embedding_dim, loaded._states.settings.batch_size) == (384, 16)
    assert loaded.update_representations() == 0


def test_embedding_of_another_length(make_faiss: Any, computed: list[str]) -> None:
    store = make_faiss(embedding_dim=8)
    for embedding, shape in ((np.zeros(3), r"\(3,\)"), ([0.0] * 9, r"\(9,\)"), (np.zeros((1, 8)), r"\(1, 8\)")):
        written = [
            Document(content="paris", id="1", embedding=np.zeros(8)),
            {"content": "rome", "embedding": embedding},
        ]
        with pytest.raises(ValueError, match=rf"has the shape {shape}, and the store is for 8 numbers"):
            store.write_documents(written)
    assert computed == []
    assert store.get_document_count() == store.get_embedding_count() == 0


def test_one_id_in_place_of_a_list(make_faiss: Any) -> None:
    with pytest.raises(ValueError, match=r"ids must be a list, got 'b': give \['b'\]"):
        make_faiss().get_documents_by_id("b")
