"""Writing, deleting and reading at once, as the endpoints of a REST server do."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from haystack.schema import Document

from haystack_deformer.document_stores.reference import REPRESENTATION_META_KEY, with_reference

TEXTS = [f"paris is in france {number}" for number in range(6)]


def together(*tasks: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def guarded(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001  # handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def assert_consistent(store: Any) -> None:
    present = {store.representations.key(document.content) for document in store.get_all_documents()}
    assert set(store.representations.keys()) == present


def test_states_are_those_of_the_documents_in_the_end(store: Any) -> None:
    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(12):
            identifier = str(rng.randrange(4))
            if rng.random() < 0.6:
                store.write_documents([Document(content=rng.choice(TEXTS), id=identifier)])
            elif rng.random() < 0.8:
                store.delete_documents(ids=[identifier])
            else:
                store.delete_documents()

    def read() -> None:
        for _ in range(40):
            for document in store.get_all_documents():
                store.representations.get([store.representations.key(document.content)])

    together(*(lambda seed=seed: work(seed) for seed in range(3)), read, read)  # type: ignore[misc]
    assert_consistent(store)
    assert store._keeper._pending == {}
    store.update_representations()
    assert_consistent(store)


def test_a_delete_does_not_take_the_states_of_a_write_on_its_way(store: Any, monkeypatch: Any) -> None:
    store.write_documents([Document(content=TEXTS[0], id="1")])
    about_to_write, deleted = threading.Event(), threading.Event()
    contains = store.representations.contains

    def slow(keys: Any) -> Any:
        found = contains(keys)  # "it is there"
        about_to_write.set()
        deleted.wait(10)
        return found

    monkeypatch.setattr(store.representations, "contains", slow)

    def write() -> None:
        store.write_documents([Document(content=TEXTS[0], id="2")])

    def delete() -> None:
        about_to_write.wait(10)
        store.delete_documents(ids=["1"])
        deleted.set()

    together(write, delete)
    assert [document.id for document in store.get_all_documents()] == ["2"]
    assert_consistent(store)


def test_the_model_is_loaded_once(store: Any) -> None:
    seen: list[Any] = []
    together(*[lambda: seen.append(store.representations)] * 4)
    assert len(set(map(id, seen))) == 1


def test_meta_that_gets_a_reference_while_it_is_copied() -> None:
    class Growing(dict):  # type: ignore[type-arg]
        """Another thread has its turn between two fields."""

        def items(self) -> Any:
            for item in super().items():
                yield item
                self[REPRESENTATION_META_KEY] = "0" * 32

    document = Document(content=TEXTS[0])
    document.meta = Growing(name="x", vector_id="1")
    assert with_reference(document, None, ["vector_id", "more"]).meta == {"name": "x"}
    assert set(document.meta) == {"name", "vector_id"}
