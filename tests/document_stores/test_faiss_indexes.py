"""Indexes other than the default have FAISS indexes of the same kind, and are of use after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from haystack.document_stores import FAISSDocumentStore

from haystack_deformer.document_stores import DeFormerFAISSDocumentStore
from tests.document_stores.embedded import DIMENSION, Retriever, assert_found, document, nearest, vector


def _nearest(store: Any, number: int) -> str:
    return store.query_by_embedding(vector(number), index="archive", top_k=1)[0].content


@pytest.fixture
def reopened(make_faiss: Any, tmp_path: Path) -> Any:
    """A store of two indexes that was saved with the vectors of the default one, as all are, and loaded."""
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    store.write_documents([document(number) for number in range(3)])
    store.write_documents([document(number) for number in (4, 5)], index="archive")
    store.save(tmp_path / "index.faiss")
    return DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss")


def test_the_second_index_compares_as_the_first(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2", faiss_index_factory_str="HNSW", n_links=8)
    store.write_documents([document(number) for number in range(6)], index="archive")
    first, second = store.faiss_indexes["document"], store.faiss_indexes["archive"]
    assert second.metric_type == first.metric_type
    assert second.hnsw.nb_neighbors(1) == first.hnsw.nb_neighbors(1) == 8
    assert all(_nearest(store, number) == f"paris {number}" for number in range(6))


def test_an_index_that_was_saved_says_how_others_are_made(make_faiss: Any, tmp_path: Path) -> None:
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2", faiss_index_factory_str="HNSW", n_links=8)
    store.write_documents([document(0)])
    store.save(tmp_path / "index.faiss")
    loaded = DeFormerFAISSDocumentStore.load(tmp_path / "index.faiss")
    loaded.write_documents([document(1)], index="archive")
    assert loaded.faiss_indexes["archive"].hnsw.nb_neighbors(1) == 8


def test_writing_after_a_restart(reopened: Any) -> None:
    reopened.write_documents([document(6)], index="archive")
    assert _nearest(reopened, 6) == "paris 6"
    assert nearest(reopened, 1, 1) == ["paris 1"]


@pytest.mark.parametrize("all_anew", [True, False])
def test_embedding_after_a_restart(reopened: Any, all_anew: bool) -> None:
    assert reopened.get_embedding_count(index="archive") == 0
    reopened.update_embeddings(Retriever(), index="archive", update_existing_embeddings=all_anew)
    assert reopened.get_embedding_count(index="archive") == 2
    assert [_nearest(reopened, number) for number in (4, 5)] == ["paris 4", "paris 5"]


def test_writing_without_vectors_after_a_restart(reopened: Any) -> None:
    reopened.write_documents([document(6, embedded=False)], index="archive")
    found = reopened.get_all_documents(index="archive", return_embedding=True)
    assert {entry.id: entry.embedding for entry in found} == {"4": None, "5": None, "6": None}
    reopened.write_documents([document(7)], index="archive")
    assert _nearest(reopened, 7) == "paris 7"
    reopened.update_embeddings(Retriever(), index="archive", update_existing_embeddings=False)
    assert [_nearest(reopened, number) for number in (4, 5, 6, 7)] == ["paris 4", "paris 5", "paris 6", "paris 7"]


def test_only_stores_that_need_it_call_for_embeddings(
    make_faiss: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = FAISSDocumentStore(sql_url=f"sqlite:///{tmp_path}/plain.db", embedding_dim=DIMENSION, progress_bar=False)
    for store, calls in ((make_faiss(embedding_dim=DIMENSION), False), (plain, True)):
        caplog.clear()
        store.write_documents([document(1)])
        store.write_documents([document(1), document(2)])
        assert ("call `update_embeddings`" in caplog.text) == calls


def test_vectors_into_a_store_opened_without_them(make_faiss: Any) -> None:
    make_faiss(embedding_dim=DIMENSION, similarity="l2").write_documents([document(number) for number in range(3)])
    store = make_faiss(embedding_dim=DIMENSION, similarity="l2")
    store.write_documents([document(3)])
    assert_found(store)
    store.update_embeddings(Retriever(), update_existing_embeddings=False)
    assert_found(store)
    assert store.get_embedding_count() == 4


def test_reading_after_a_restart(reopened: Any) -> None:
    reopened.return_embedding = True
    assert {found.id for found in reopened.get_all_documents(index="archive")} == {"4", "5"}
    assert reopened.get_documents_by_id(["4"], index="archive")[0].embedding is None
    assert reopened.get_documents_by_id(["1"])[0].embedding is not None


def test_a_stale_number_in_the_meta_of_a_plain_store(tmp_path: Path, tiny_deformer: Path) -> None:
    plain = FAISSDocumentStore(
        sql_url=f"sqlite:///{tmp_path}/plain.db", embedding_dim=DIMENSION, similarity="l2", progress_bar=False
    )
    plain.write_documents([document(number) for number in (2, 0, 1)])
    for found in plain.get_all_documents():
        plain.update_document_meta(found.id, found.meta)
    plain.update_embeddings(Retriever())
    plain.save(tmp_path / "plain.faiss")
    store = DeFormerFAISSDocumentStore.load(tmp_path / "plain.faiss", deformer_model=str(tiny_deformer))
    assert [nearest(store, number, 3) for number in range(3)] == [nearest(plain, number, 3) for number in range(3)]
    assert [nearest(store, number, 1) for number in range(3)] == [["paris 0"], ["paris 1"], ["paris 2"]]


def test_documents_may_go_while_others_are_read_with_vectors(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=DIMENSION)
    store.write_documents([document(number) for number in range(4)])
    documents = store.get_all_documents_generator(return_embedding=True)
    first = next(documents)
    store.delete_documents(ids=[number for number in "0123" if number != first.id])
    # in one batch, which was read before they went
    assert [found.embedding is None for found in documents] == [False] * 3
