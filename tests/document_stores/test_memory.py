"""What is the memory store's own."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from haystack import Pipeline
from haystack.document_stores import KeywordDocumentStore
from haystack.errors import DocumentStoreError
from haystack.nodes import BM25Retriever
from haystack.schema import Document, Label

from haystack_deformer.document_stores import DeFormerInMemoryDocumentStore

PARIS, BERLIN = "paris is in france", "berlin is in germany"


def test_states_are_in_memory_unless_a_path_is_given(make_memory: Any, tmp_path: Path) -> None:
    assert make_memory().describe_representations()["backend"] == "memory"
    store = make_memory(representation_path=str(tmp_path / "states"))
    store.write_documents([Document(content=PARIS)])
    assert store.describe_representations()["backend"] == "lmdb"
    again = make_memory(representation_path=str(tmp_path / "states"))
    assert again.describe_representations()["count"] == 1


def test_keyword_retrieval_shows_no_reference(make_memory: Any) -> None:
    store = make_memory(use_bm25=True)
    assert isinstance(store, KeywordDocumentStore)
    store.write_documents([Document(content=text, meta={"name": text[:5]}) for text in (PARIS, BERLIN, "a river")])
    retriever = BM25Retriever(store)
    assert retriever.retrieve("berlin", top_k=1)[0].meta == {"name": "berli"}
    assert [[d.meta for d in found] for found in retriever.retrieve_batch(["berlin", "paris"], top_k=1)] == [
        [{"name": "berli"}],
        [{"name": "paris"}],
    ]


def test_labels_are_no_documents(make_memory: Any) -> None:
    store = make_memory()
    document = Document(content=PARIS)
    store.write_documents([document])
    store.write_labels(
        [
            Label(
                query="who",
                document=document,
                is_correct_answer=True,
                is_correct_document=True,
                origin="gold-label",
                answer=None,
            )
        ]
    )
    assert store.prune_representations() == 0
    store.delete_documents()
    assert store.describe_representations()["count"] == 0
    assert store.get_label_count() == 1


def test_the_device(make_memory: Any) -> None:
    assert make_memory()._representation_device() == torch.device("cpu")
    assert make_memory(use_gpu=True)._representation_device() is None
    assert make_memory(use_gpu=True, devices=["cpu"])._representation_device() == torch.device("cpu")


def test_yaml_round_trip(make_memory: Any, tmp_path: Path, monkeypatch: Any) -> None:
    pipeline = Pipeline()
    pipeline.add_node(make_memory(use_bm25=True, lower_layers=3), "Store", ["File"])
    pipeline.save_to_yaml(tmp_path / "pipeline.yaml")
    [component] = yaml.safe_load((tmp_path / "pipeline.yaml").read_text())["components"]
    assert component["params"]["lower_layers"] == 3
    monkeypatch.setenv("STORE_PARAMS_LOWER_LAYERS", "1")
    loaded = Pipeline.load_from_yaml(tmp_path / "pipeline.yaml").get_node("Store")
    assert isinstance(loaded, DeFormerInMemoryDocumentStore)
    assert (loaded.use_bm25, loaded.lower_layers) == (True, 1)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda store: pickle.loads(pickle.dumps(store))])
def test_can_be_copied_as_the_parent_can(make_memory: Any, copied: Any) -> None:
    store = make_memory()
    store.write_documents([Document(content="paris is a city"), Document(content="the river")])
    assert store.get_label_count() == 0  # under a lock of its own
    other = copied(store)
    assert {document.content for document in other.get_all_documents()} == {"paris is a city", "the river"}
    assert other.update_representations() == 2
    other.delete_documents()
    assert other.describe_representations()["count"] == 0
    assert store.describe_representations()["count"] == 2


def test_texts_without_a_word_for_keywords(make_memory: Any) -> None:
    store = make_memory(use_bm25=True)
    store.write_documents([Document(content="A", id="1")])
    assert store.query("paris") == []
    assert store.query_batch(["paris", "berlin"]) == [[], []]
    store.write_documents([Document(content="paris is", id="2")])
    assert [[document.id for document in found] for found in store.query_batch(["paris"], top_k=1)] == [["2"]]
    assert [document.id for document in store.query("paris", top_k=1)] == ["2"]
    store.delete_documents(ids=["2"])
    assert store.query("paris") == []
    assert store.describe_representations()["count"] == 1


def test_keywords_without_bm25_are_refused_before_there_is_a_document(make_memory: Any) -> None:
    store = make_memory()
    for query in (lambda: store.query("paris"), lambda: store.query_batch(["paris"])):
        with pytest.raises(DocumentStoreError, match="use_bm25=True"):
            query()


def test_labels_and_documents_stay_apart(make_memory: Any) -> None:
    store = make_memory(use_bm25=True)
    document = Document(content=PARIS)
    label = Label(
        query="which",
        document=document,
        answer=None,
        is_correct_answer=True,
        is_correct_document=True,
        origin="user-feedback",
    )
    store.write_documents([document])
    store.write_documents([document], index="more")
    store.write_labels([label])
    for index in ("document", "more"):
        with pytest.raises(ValueError, match=f"The index '{index}' is of documents"):
            store.write_labels([label], index=index)
    with pytest.raises(ValueError, match="The index 'label' is of labels"):
        store.write_documents([document], index="label")
    assert store.query("paris")[0].content == PARIS


def test_query_names_its_index_by_place(make_memory: Any) -> None:
    store = make_memory(use_bm25=True)
    store.write_documents([Document(content="berlin is in germany", id="a")], index="other")
    for found in (store.query("berlin", index="other"), store.query("berlin", None, 10, None, "other")):
        assert [document.id for document in found] == ["a"]
    assert store.query("berlin") == []
