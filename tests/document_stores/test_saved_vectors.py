"""A file of vectors and the documents that it is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from haystack.document_stores import FAISSDocumentStore
from haystack.schema import Document

from haystack_deformer.document_stores import DeFormerFAISSDocumentStore
from tests.document_stores.embedded import DIMENSION, Retriever, assert_found, document, vector


@pytest.fixture
def saved(make_faiss: Any, tmp_path: Path) -> Any:
    """A store of five documents whose vectors are in `index.faiss`."""
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2", validate_index_sync=True)
    store.write_documents([document(number) for number in range(5)])
    store.save(tmp_path / "index.faiss")
    return store


def exchange(store: Any) -> None:
    store.delete_documents(ids=["0", "1"])
    store.write_documents([document(7), document(8)])


def other_text(store: Any) -> None:
    # the last one's vector is removed and the new one takes its number
    store.write_documents([Document(content="paris 9", id="4", embedding=vector(9))])


@pytest.mark.parametrize("change", [exchange, other_text])
def test_other_documents_than_at_save(saved: Any, tmp_path: Path, change: Any) -> None:
    change(saved)
    with pytest.raises(
        ValueError, match=r"documents were written or deleted after save\(\).*validate_index_sync=False"
    ):
        DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss")
    # the remedy that it names
    store = DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss", validate_index_sync=False)
    store.update_embeddings(Retriever())
    assert_found(store)
    store.save(tmp_path / "index.faiss")
    store = DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss")
    assert_found(store)
    # what was not to be looked at once is looked at the next time
    other_text(store) if change is exchange else exchange(store)
    with pytest.raises(ValueError, match=r"documents were written or deleted after save"):
        DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss")


def test_a_database_that_is_opened_again_without_its_vectors(saved: Any, make_faiss: Any, tmp_path: Path) -> None:
    again = {"embedding_dim": DIMENSION, "similarity": "l2"}
    with pytest.raises(ValueError, match=r"\(5, in .*documents.*embeddings in FAISS \(0\).*DeFormerFAISS.*\.load\)"):
        make_faiss(**again, validate_index_sync=True)
    # the remedies that it names
    assert_found(DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss"))
    store = make_faiss(**again, validate_index_sync=False)
    store.update_embeddings(Retriever())
    assert_found(store)


def test_saved_by_a_store_that_counts_nothing(make_faiss: Any, tmp_path: Path) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2", validate_index_sync=False)
    store.write_documents([document(number, embedded=number < 3) for number in range(5)])
    store.save(tmp_path / "index.faiss")
    # as many vectors as documents there are not, and are not asked for
    assert_found(DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss"))
    exchange(store)
    with pytest.raises(ValueError, match=r"documents were written or deleted after save"):
        DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss")


def test_the_configuration_of_an_earlier_file(saved: Any, tmp_path: Path) -> None:
    saved.save(tmp_path / "a.faiss", tmp_path / "settings.json")
    store = DeFormerFAISSDocumentStore.load(tmp_path / "a.faiss", tmp_path / "settings.json")
    exchange(store)
    store.save(tmp_path / "b.faiss")
    loaded = DeFormerFAISSDocumentStore.load(tmp_path / "b.faiss")
    assert "faiss_config_path" not in loaded.get_params()
    assert_found(DeFormerFAISSDocumentStore(**loaded.get_params()))


def test_what_is_no_change_of_documents(saved: Any, tmp_path: Path) -> None:
    saved.update_document_meta("1", {"number": 1, "parity": 1, "seen": "yes"})
    saved.write_documents([document(7)], index="other")
    loaded = DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss")
    assert_found(loaded)
    # and once more, by the one that was loaded
    loaded.save(tmp_path / "again.faiss", tmp_path / "settings.json")
    assert_found(DeFormerFAISSDocumentStore.load(tmp_path / "again.faiss", tmp_path / "settings.json"))


def test_saved_by_haystack(tmp_path: Path, tiny_deformer: Path) -> None:
    plain = FAISSDocumentStore(f"sqlite:///{tmp_path}/plain.db", embedding_dim=DIMENSION, similarity="l2")
    plain.write_documents([document(number) for number in range(3)])
    plain.save(tmp_path / "plain.faiss")
    assert_found(DeFormerFAISSDocumentStore.load(tmp_path / "plain.faiss", deformer_model=str(tiny_deformer)))
