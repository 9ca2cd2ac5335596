"""A DeFormer store of any other store."""

from __future__ import annotations

from typing import Any

import pytest
from haystack.document_stores import InMemoryDocumentStore
from haystack.schema import Document, Label

from haystack_deformer.document_stores import DeFormerInMemoryDocumentStore
from haystack_deformer.document_stores.access import DocumentAccess
from haystack_deformer.document_stores.reference import READS
from tests.document_stores.fake_search_engine import DeFormerSearchEngineDocumentStore, FakeEngine
from tests.document_stores.sql_store import DeFormerSQLDocumentStore

PARIS, BERLIN, ROME = "paris is in france", "berlin is in germany", "a river in the city"


class StoreOfAnotherKind(DeFormerInMemoryDocumentStore):
    """Known by its public methods alone, which pass over ids that are not there, as all but its parent do."""

    def __init__(self, deformer_model: str | None = None) -> None:
        super().__init__(deformer_model=deformer_model, progress_bar=False, use_gpu=False)

    def _document_access(self) -> DocumentAccess:
        return DocumentAccess(self, super().update_document_meta)

    def get_documents_by_id(
        self,
        ids: list[str],
        index: str | None = None,
        batch_size: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> list[Document]:
        there = self.indexes[index or self.index]
        return InMemoryDocumentStore.get_documents_by_id(self, [one for one in ids if one in there], index)


@pytest.fixture
def another(tiny_deformer: Any) -> StoreOfAnotherKind:
    return StoreOfAnotherKind(deformer_model=str(tiny_deformer))


@pytest.fixture(params=["sql", "engine", "another"])
def other(request: Any, tmp_path: Any, tiny_deformer: Any, another: StoreOfAnotherKind) -> Any:
    if request.param == "sql":
        return DeFormerSQLDocumentStore(f"sqlite:///{tmp_path}/x.db", deformer_model=str(tiny_deformer))
    if request.param == "engine":
        return DeFormerSearchEngineDocumentStore(FakeEngine(), deformer_model=str(tiny_deformer))
    return another


def test_the_whole_way(other: Any, stored: Any) -> None:
    other.write_documents([Document(content=PARIS, id="1", meta={"name": "x"}), {"content": BERLIN, "id": "2"}])
    other.write_documents([Document(content=PARIS, id="3")], index="other")
    assert stored(other, PARIS, BERLIN) == [PARIS, BERLIN]
    assert [d.meta for d in other.get_documents_by_id(["1"])] == [{"name": "x"}]
    other.update_document_meta("1", {"name": "y"})
    assert other.get_documents_by_id(["1"])[0].meta == {"name": "y"}
    other.write_documents([Document(content=ROME, id="2")], duplicate_documents="skip")
    assert stored(other, PARIS, BERLIN, ROME) == [PARIS, BERLIN]
    other.write_documents([Document(content=ROME, id="2")])
    assert stored(other, PARIS, BERLIN, ROME) == [PARIS, ROME]
    other.delete_documents(ids=["1"])
    assert stored(other, PARIS, ROME) == [PARIS, ROME]
    other.delete_index("other")
    assert stored(other, PARIS, ROME) == [ROME]
    other.representations.prune(set())
    assert other.update_representations() == 1
    assert other.prune_representations(indexes=["document"]) == 0
    other.delete_documents()
    assert stored(other, ROME) == []


def test_a_store_that_cannot_list_its_indexes_is_told_them(another: Any, stored: Any) -> None:
    another.write_documents([Document(content=PARIS)], index="archive")
    another.write_documents([Document(content=BERLIN)])
    another._access.forget_index("archive")  # as after a restart
    with pytest.raises(ValueError, match=r"but 'document' would be removed.*\(indexes=\['document'\]\)"):
        another.prune_representations()
    assert another.prune_representations(indexes=["archive"]) == 0
    assert another.prune_representations(indexes=["document"]) == 1
    assert stored(another, PARIS, BERLIN) == [BERLIN]


def test_an_index_that_is_gone_is_asked_for_nothing(another: Any, stored: Any) -> None:
    another.write_documents([Document(content=PARIS, id="1")], index="x")
    another.write_documents([Document(content=BERLIN, id="2")])
    another.delete_index("x")
    assert another._access.indexes() == ["document"]
    another.delete_documents(ids=["2"])
    another.write_documents([Document(content=PARIS, id="1")], index="x")
    assert another._access.indexes() == ["document", "x"]
    assert stored(another, PARIS, BERLIN) == [PARIS]


def test_labels_are_deleted_as_the_parent_does(other: Any, stored: Any) -> None:
    other.write_documents([Document(content=PARIS)])
    label = {"query": "where", "document": {"content": PARIS}, "is_correct_answer": True, "is_correct_document": True}
    other.write_labels([Label.from_dict({**label, "origin": "gold-label", "answer": {"answer": "france"}})])
    other.delete_labels()
    assert other.get_label_count() == 0
    assert stored(other, PARIS) == [PARIS]


def test_every_method_that_hands_out_documents_is_wrapped() -> None:
    for made in (DeFormerSQLDocumentStore, DeFormerSearchEngineDocumentStore, StoreOfAnotherKind):
        present = [name for name in READS if hasattr(made, name)]
        assert len(present) >= 6
        assert all(getattr(made, name).hides_references for name in present)
