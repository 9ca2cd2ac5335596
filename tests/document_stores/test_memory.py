"""What is the memory store's own."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from haystack import Pipeline
from haystack.document_stores import KeywordDocumentStore
from haystack.errors import DocumentStoreError
from haystack.nodes import BM25Retriever
from haystack.schema import Document, Label

from haystack_deformer.document_stores import DeFormerInMemoryDocumentStore
from haystack_deformer.nodes import DeFormerReader
from tests.document_stores.embedded import document

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


def test_documents_without_vectors_are_written_without_a_look_at_all_others(make_memory: Any) -> None:
    looked_at: list[Document] = []

    class Watched(dict):  # type: ignore[type-arg]
        def values(self) -> Any:
            for held in super().values():
                looked_at.append(held)
                yield held

    store = make_memory()
    store.indexes["document"] = Watched({str(n): document(n, embedded=False) for n in range(50)})
    store.write_documents([Document(content=PARIS, id="new")])
    # one tells what the index is of
    assert len(looked_at) <= 1
    assert store.get_document_count() == 51


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
    # documents are not deleted as labels, which would leave their states, and labels are not asked as documents
    with pytest.raises(ValueError, match="The index 'document' is of documents"):
        store.delete_labels(index="document")
    assert store.query("paris", index="label") == []
    assert (store.get_document_count(), store.get_label_count()) == (1, 1)
    assert store.describe_representations()["count"] == 1
    store.delete_labels()
    store.delete_documents(index="more")
    assert (store.get_document_count(), store.get_label_count()) == (1, 0)


class TestKeywordsWithFilters:
    """Haystack's store passes over them, and answers from documents that were to be left out."""

    @pytest.fixture
    def filled(self, make_memory: Any) -> Any:
        store = make_memory(use_bm25=True)
        store.write_documents(
            [Document(content=f"paris {'is ' * number}nice", id=str(number), meta={"n": number}) for number in range(6)]
        )
        return store

    def test_leave_the_others_in_their_order(self, filled: Any) -> None:
        everything = [document.id for document in filled.query("paris")]
        assert len(everything) == 6
        for filters, left in (({"n": {"$lt": 3}}, "012"), ({"$not": {"n": [0, 1]}}, "2345"), ({"m": 1}, "")):
            found = filled.query("paris", filters=filters)
            assert [document.id for document in found] == [name for name in everything if name in left]
            assert BM25Retriever(filled).retrieve("paris", filters=filters, top_k=2) == found[:2]

    def test_of_many_questions(self, filled: Any) -> None:
        retriever = BM25Retriever(filled)
        both = retriever.retrieve_batch(["paris", "nice"], filters={"n": [4, 5]})
        assert [{document.id for document in found} for found in both] == [{"4", "5"}] * 2
        each = retriever.retrieve_batch(["paris", "nice"], filters=[{"n": 3}, None], top_k=3)
        assert [len(found) for found in each] == [1, 3]
        with pytest.raises(ValueError, match="1 filters for 2 questions"):
            retriever.retrieve_batch(["paris", "nice"], filters=[{"n": 3}])

    def test_of_which_haystack_would_pass_over_a_part(self, filled: Any) -> None:
        with pytest.raises(ValueError, match="no operator"):
            filled.query("paris", filters={"n": {"$like": 1}})

    def test_that_compare_numbers_with_texts(self, filled: Any) -> None:
        filters = {"n": {"$gt": "one"}}
        for ask in (lambda: filled.query("paris", filters=filters), lambda: filled.get_all_documents(filters=filters)):
            with pytest.raises(ValueError, match=r"compare a field .* with what has no order beside it"):
                ask()


def test_only_new_documents_are_embedded(make_memory: Any) -> None:
    """Haystack's store takes the vectors of all away, and then finds none."""
    store = make_memory(embedding_dim=2, embedding_field="vector")
    store.write_documents([{"content": PARIS, "vector": np.array([1.0, 0.0], dtype="float32")}])
    store.write_documents([Document(content=BERLIN)])
    asked: list[str] = []

    class Embeds:
        def embed_documents(self, documents: list[Document]) -> np.ndarray:
            asked.extend(document.content for document in documents)
            return np.full((len(documents), 2), 0.5, dtype="float32")

    store.update_embeddings(Embeds(), update_existing_embeddings=False)
    assert asked == [BERLIN]
    kept = {
        document.content: document.embedding.tolist() for document in store.get_all_documents(return_embedding=True)
    }
    assert kept == {PARIS: [1.0, 0.0], BERLIN: [0.5, 0.5]}
    store.update_embeddings(Embeds(), update_existing_embeddings=False)
    assert asked == [BERLIN]


def test_a_path_is_saved_as_text(make_memory: Any, tiny_deformer: Path, tmp_path: Path) -> None:
    pipeline = Pipeline()
    pipeline.add_node(make_memory(deformer_model=tiny_deformer, representation_path=tmp_path / "r"), "Store", ["File"])
    pipeline.add_node(DeFormerReader(tiny_deformer, use_gpu=False), "Reader", ["Store"])
    pipeline.save_to_yaml(tmp_path / "pipeline.yaml")
    loaded = Pipeline.load_from_yaml(tmp_path / "pipeline.yaml")
    assert loaded.get_node("Store").deformer_model == str(tiny_deformer)
    assert loaded.get_node("Reader").model_name_or_path == str(tiny_deformer)


def test_query_names_its_index_by_place(make_memory: Any) -> None:
    store = make_memory(use_bm25=True)
    store.write_documents([Document(content="berlin is in germany", id="a")], index="other")
    for found in (store.query("berlin", index="other"), store.query("berlin", None, 10, None, "other")):
        assert [document.id for document in found] == ["a"]
    assert store.query("berlin") == []


def test_bm25_without_documents(make_memory: Any) -> None:
    store = make_memory(use_bm25=True)
    assert store.query("paris") == []
    store.write_documents([document(1)])
    assert [found.content for found in store.query("paris 1")] == ["paris 1"]
    store.delete_documents(ids=["1"])
    assert store.query("paris") == []
    store.write_documents([document(1)])
    store.delete_documents()
    assert store.query("paris") == []
