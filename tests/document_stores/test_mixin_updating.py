"""Bringing an index up to date, and what meta updates do to references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from haystack.document_stores import FAISSDocumentStore
from haystack.schema import Document

from haystack_deformer.document_stores import REPRESENTATION_META_KEY
from haystack_deformer.document_stores.reference import references_shown

PARIS, BERLIN, ROME = "paris is in france", "berlin is in germany", "a river in the city"


def references(store: Any, index: str | None = None) -> dict[str, str | None]:
    with references_shown():
        return {d.id: d.meta.get(REPRESENTATION_META_KEY) for d in store.get_all_documents(index=index)}


def expected(store: Any, **texts: str) -> dict[str, str]:
    return {identifier: store.representations.key(text).hex() for identifier, text in texts.items()}


@pytest.fixture
def plain(tmp_path: Path) -> FAISSDocumentStore:
    """Over the same SQLite file as `make_faiss`."""
    return FAISSDocumentStore(
        sql_url=f"sqlite:///{tmp_path}/documents.db", embedding_dim=4, similarity="l2", progress_bar=False
    )


def write_plain(plain: FAISSDocumentStore) -> None:
    vectors = np.eye(4, dtype=np.float32)
    texts = {"a": PARIS, "b": BERLIN, "c": PARIS, "d": "  "}
    plain.write_documents(
        [
            Document(content=text, id=identifier, meta={"name": identifier}, embedding=vector)
            for vector, (identifier, text) in zip(vectors, texts.items(), strict=True)
        ]
    )


def test_an_index_of_the_plain_store(plain: FAISSDocumentStore, make_faiss: Any, tmp_path: Path, computed: Any) -> None:
    write_plain(plain)
    plain.save(tmp_path / "plain.faiss")
    store = make_faiss(faiss_index=plain.faiss_indexes["document"], embedding_dim=4, similarity="l2")
    assert store.update_representations() == 2
    assert sorted(computed) == [BERLIN, PARIS]
    assert references(store) == {**expected(store, a=PARIS, b=BERLIN, c=PARIS), "d": None}
    # the rest of the meta, and the vectors' places
    [found] = store.query_by_embedding(np.eye(4, dtype=np.float32)[1], top_k=1)
    assert found.meta == {"name": "b", "vector_id": "1"}
    assert store.update_representations() == 0


def test_it_goes_on_where_it_stopped(make_store: Any, computed: list[str], monkeypatch: Any) -> None:
    store = make_store(representation_batch_size=1)  # 8 texts are stored at once
    texts = [f"{PARIS} {number}" for number in range(20)]
    with monkeypatch.context() as patch:
        # as a plain store writes
        patch.setattr(type(store), "write_documents", type(store).__bases__[1].write_documents)
        store.write_documents([Document(content=text) for text in texts])
    put = store.representations.put
    stops = iter([False, True])

    def interrupted(representations: Any) -> None:
        if next(stops):
            raise KeyboardInterrupt
        put(representations)

    with monkeypatch.context() as patch:
        patch.setattr(store.representations, "put", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.update_representations()
    computed.clear()
    assert store.update_representations() == 12
    assert len(computed) == 12
    assert sorted(references(store).values()) == sorted(store.representations.key(text).hex() for text in texts)


def test_in_small_batches_and_for_some_documents(store: Any) -> None:
    store.write_documents([Document(content=f"{PARIS} {number}", meta={"odd": str(number % 2)}) for number in range(9)])
    store.representations.prune(set())
    assert store.update_representations(batch_size=2, filters={"odd": ["1"]}) == 4
    assert store.update_representations(batch_size=2) == 5
    assert store.update_representations(index="other") == 0


def test_after_the_model_was_changed(make_faiss: Any, make_tiny_bert: Any, computed: list[str]) -> None:
    old = make_faiss()
    old.write_documents([Document(content=PARIS, id="a", meta={"name": "x"})])
    new = make_faiss(deformer_model=str(make_tiny_bert(1)), lower_layers=1)
    assert new.update_representations() == 1
    assert references(new) == expected(new, a=PARIS)
    assert new.get_document_by_id("a").meta == {"name": "x"}
    # the old model's are still there, side by side
    assert old.representations.contains([old.representations.key(PARIS)]) == [True]
    assert [other["model"] for other in new.describe_representations()["others"]] == [old.deformer_model]


def test_another_codec_side_by_side(make_faiss: Any) -> None:
    one, other = make_faiss(), make_faiss(representation_codec="SQ8")
    one.write_documents([Document(content=PARIS, id="a")])
    other.write_documents([Document(content=BERLIN, id="b")])
    assert other.update_representations() == 1
    assert one.update_representations() == 1
    sizes = [store.describe_representations()["bytes_per_passage"] for store in (one, other)]
    assert sizes[0] > sizes[1]
    assert [store.describe_representations()["codec"] for store in (one, other)] == ["SQfp16", "SQ8"]


def test_documents_that_change_meanwhile_get_no_wrong_reference(make_store: Any, monkeypatch: Any) -> None:
    store = make_store(duplicate_documents="overwrite")
    store.write_documents([Document(content=PARIS, id="a"), Document(content=BERLIN, id="b")])
    store.representations.prune(set())
    for document in store._access.by_ids(["a", "b"]):
        store._access.set_references(document.index, {document.id: "0" * 32})
    encode = type(store.encoder).encode

    def meddling(self: Any, texts: Any, **parameters: Any) -> Any:
        made = encode(self, texts, **parameters)
        monkeypatch.setattr(type(store.encoder), "encode", encode)
        store.write_documents([Document(content=ROME, id="a")])
        store.delete_documents(ids=["b"])
        return made

    monkeypatch.setattr(type(store.encoder), "encode", meddling)
    store.update_representations()
    assert references(store) == expected(store, a=ROME)
    assert list(store.representations.keys()) == [store.representations.key(ROME)]


def test_documents_that_are_deleted_after_they_were_read_leave_no_states(make_store: Any, monkeypatch: Any) -> None:
    store = make_store()
    store.write_documents([Document(content=text, id=text) for text in (PARIS, BERLIN, ROME)])
    store.representations.prune(set())
    update = store._updater.update

    def late(index: str, documents: Any, report: Any) -> int:
        store.delete_documents(ids=[BERLIN])
        return update(index, documents, report)

    monkeypatch.setattr(store._updater, "update", late)
    assert store.update_representations() == 3
    assert references(store) == expected(store, **{PARIS: PARIS, ROME: ROME})
    assert set(store.representations.keys()) == {store.representations.key(text) for text in (PARIS, ROME)}


def test_updating_meta_keeps_the_reference(store: Any) -> None:
    store.write_documents([Document(content=PARIS, id="a", meta={"name": "x"}), Document(content=" ", id="b")])
    document = store.get_document_by_id("a")
    store.update_document_meta("a", {**document.meta, "name": "y", REPRESENTATION_META_KEY: "0" * 32})
    store.update_document_meta("b", {"name": "z"})
    assert references(store) == {**expected(store, a=PARIS), "b": None}
    assert store.get_document_by_id("a").meta == {"name": "y"}
    assert store.get_document_by_id("b").meta == {"name": "z"}


def test_updating_meta_with_what_was_read_keeps_the_vector(make_faiss: Any) -> None:
    store = make_faiss(embedding_dim=4, similarity="l2")
    vectors = np.eye(4, dtype=np.float32)
    store.write_documents([Document(content=f"{PARIS} {n}", id=str(n), embedding=vectors[n]) for n in range(4)])
    document = store.get_document_by_id("2")
    store.update_document_meta("2", {**document.meta, "name": "y"})
    store.update_vector_ids({"2": "9"})
    assert store.get_all_documents(filters={"name": ["y"]})[0].meta == {"name": "y", "vector_id": "9"}


def test_meta_of_a_document_that_is_not_there(store: Any) -> None:
    store.write_documents([Document(content="paris", id="1")])
    with pytest.raises(KeyError, match="no document 'ghost' in the index 'document'"):
        store.update_document_meta("ghost", {"name": "x"})
    store.write_documents([Document(content="berlin", id="ghost", meta={"year": 1})])
    assert store.get_document_by_id("ghost").meta == {"year": 1}


@pytest.mark.parametrize("batch_size", [0, -1, 2.5])
def test_batches_of_no_documents(store: Any, batch_size: Any) -> None:
    store.write_documents([Document(content="paris", id="1")])
    with pytest.raises(ValueError, match=r"batch_size must be a whole number of at least 1"):
        store.update_representations(batch_size=batch_size)
    with pytest.raises(ValueError, match=r"batch_size must be a whole number of at least 1"):
        store.write_documents([Document(content="rome", id="2")], batch_size=batch_size)
    assert store.get_document_count() == 1
