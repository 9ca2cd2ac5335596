"""
Random histories of a store: after each step a reader with it answers exactly as a reader without one.

Every document that is read has its states in the store, and no others are there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from haystack.schema import Document
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from haystack_deformer import DeFormerFAISSDocumentStore, DeFormerInMemoryDocumentStore, DeFormerReader
from haystack_deformer.passages import PassageEncoder, load_encoder

TEXTS = [
    "paris is the capital of france",
    "berlin is the capital of germany",
    "the river",
    "a city in france " * 20,
    "",
    "  ",
    "K\u00f6ln ist eine Stadt \U0001d4b3",
]
SHARED = "4"
"""In both indexes, with meta in each, which Haystack's SQL stores mix up."""
IDS = {"document": ["1", "2", "3", SHARED], "other": [SHARED, "5", "6"]}
INDEXES = list(IDS)
EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "12"))
"""Histories of 20 steps; with another number they are other ones at each run."""
QUESTION = "what is the capital of france?"


@st.composite
def places(draw: Any) -> tuple[str, str]:
    """An index, and an id that may be in it."""
    index = draw(st.sampled_from(INDEXES))
    return index, draw(st.sampled_from(IDS[index]))


@st.composite
def batches(draw: Any) -> tuple[str, list[Document]]:
    """An index, and documents for it; an id may come twice."""
    index = draw(st.sampled_from(INDEXES))
    documents = []
    for identifier in draw(st.lists(st.sampled_from(IDS[index]), min_size=1, max_size=4)):
        meta = draw(st.dictionaries(st.sampled_from(["name", "year"]), st.integers(0, 2), max_size=2))
        text = draw(st.sampled_from(TEXTS))
        documents.append(Document(content=text, id=identifier, meta=meta))
    return index, documents


indexes = st.sampled_from(INDEXES)


class Histories(RuleBasedStateMachine):
    """What a user may do to a store, and a dictionary that says what must be in it."""

    kind = ""
    models: list[Path] = []  # noqa: RUF012  # set by the fixture
    encoders: list[PassageEncoder] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.expected: dict[str, dict[str, Document]] = {name: {} for name in INDEXES}
        self.complete = True
        self.clean = True
        self.store: Any = None

    def teardown(self) -> None:
        if self.store is not None and self.kind == "faiss":
            self.store.session.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @initialize(model=st.sampled_from([0, 1]))
    def make(self, model: int) -> None:
        self.model = model
        self.open()

    def open(self) -> None:
        common: dict[str, Any] = {"embedding_dim": 8, "deformer_model": str(self.models[self.model])}
        if self.kind == "faiss":
            url = f"sqlite:///{self.folder}/documents.db"
            self.store = DeFormerFAISSDocumentStore(
                sql_url=url, validate_index_sync=False, progress_bar=False, **common
            )
        else:
            path = str(self.folder / "representations")
            self.store = DeFormerInMemoryDocumentStore(
                representation_path=path, use_gpu=False, progress_bar=False, **common
            )

    @rule(batch=batches(), mode=st.sampled_from(["overwrite", "skip"]))
    def write(self, batch: tuple[str, list[Document]], mode: str) -> None:
        index, documents = batch
        self.store.write_documents(documents, index=index, duplicate_documents=mode)
        if self.kind == "memory":
            # of an id that comes twice this store takes the first, and the other in this mode the last
            documents = list({document.id: document for document in reversed(documents)}.values())
        for document in documents:
            if mode == "overwrite" or document.id not in self.expected[index]:
                self.expected[index][document.id] = document

    @rule(place=places(), year=st.integers(0, 2))
    def update_meta(self, place: tuple[str, str], year: int) -> None:
        index, identifier = place
        if identifier in self.expected[index]:
            self.store.update_document_meta(identifier, {"year": year}, index=index)
            known = self.expected[index][identifier]
            # the one store adds to the meta, the other replaces it
            meta = {**known.meta, "year": year} if self.kind == "memory" else {"year": year}
            self.expected[index][identifier] = Document(content=known.content, id=identifier, meta=meta)

    @rule(place=places(), other=st.sampled_from(["1", "2", "5"]))
    def delete(self, place: tuple[str, str], other: str) -> None:
        index, identifier = place
        self.store.delete_documents(index=index, ids=[identifier, other])
        for gone in (identifier, other):
            self.expected[index].pop(gone, None)

    @rule(year=st.integers(0, 2), index=indexes)
    def delete_by_filters(self, year: int, index: str) -> None:
        self.store.delete_documents(index=index, filters={"year": {"$in": [year]}})
        kept = {name: d for name, d in self.expected[index].items() if d.meta.get("year") != year}
        self.expected[index] = kept

    @rule(index=indexes)
    def delete_all(self, index: str) -> None:
        self.store.delete_documents(index=index)
        self.expected[index] = {}

    @rule()
    def delete_index(self) -> None:
        self.store.delete_index("other")
        self.expected["other"] = {}

    @rule()
    def prune(self) -> None:
        self.store.prune_representations()
        self.clean = True

    @precondition(lambda self: self.kind == "faiss")
    @rule()
    def reopen(self) -> None:
        self.store.session.close()
        self.open()

    @precondition(lambda self: self.kind == "faiss")
    @rule()
    def save_and_load(self) -> None:
        path = self.folder / "index.faiss"
        self.store.save(path)
        self.store.session.close()
        self.store = DeFormerFAISSDocumentStore.load(path)

    @rule(update=st.booleans())
    def change_the_model(self, update: bool) -> None:
        self.model = 1 - self.model
        # states of this model stayed in the folder when their documents went under the other one
        self.clean = False
        if self.kind == "faiss":
            self.store.session.close()
            self.open()
        else:
            plain = {index: self.store.get_all_documents(index=index) for index in INDEXES}
            self.open()
            for index, held in plain.items():
                # as a plain store would have written them
                self.store.indexes[index] = {document.id: document for document in held}
        if update:
            for index in INDEXES:
                self.store.update_representations(index=index)
        else:
            self.complete = False

    @rule()
    def update(self) -> None:
        for index in INDEXES:
            self.store.update_representations(index=index)
        self.complete = True

    @invariant()
    def documents_are_what_was_written(self) -> None:
        if self.store is None:
            return
        for index, expected in self.expected.items():
            held = {d.id: (d.content, _meta(d)) for d in self.store.get_all_documents(index=index)}
            assert held == {name: (d.content, d.meta) for name, d in expected.items()}

    @invariant()
    def answers_are_those_of_a_reader_without_a_store(self) -> None:
        if self.store is None:
            return
        reader = DeFormerReader(document_store=self.store, use_gpu=False, progress_bar=False)
        plain = DeFormerReader(str(self.models[self.model]), use_gpu=False, progress_bar=False)
        for index in INDEXES:
            held = self.store.get_all_documents(index=index)
            found, without = (r.predict(QUESTION, held)["answers"] for r in (reader, plain))
            assert [_place(a) for a in found] == [_place(a) for a in without]
            assert [a.score for a in found] == pytest.approx([a.score for a in without], abs=5e-3)

    @invariant()
    def states_are_those_of_the_texts(self) -> None:
        if self.store is None:
            return
        representations = self.store.representations
        texts = {d.content for held in self.expected.values() for d in held.values() if d.content.strip()}
        keys = {representations.key(text) for text in texts}
        stored = set(representations.keys())
        if self.clean:
            assert stored <= keys
        if self.complete:
            assert stored >= keys


def _meta(document: Document) -> dict[str, Any]:
    return {name: value for name, value in document.meta.items() if name != "vector_id"}


def _place(answer: Any) -> tuple[Any, ...]:
    return answer.answer, answer.document_ids, answer.offsets_in_document[0].start


@pytest.mark.parametrize("kind", ["faiss", "memory"])
def test_histories(kind: str, tiny_deformer: Path, make_tiny_bert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Histories, "kind", kind)
    models = [tiny_deformer, make_tiny_bert(5)]
    monkeypatch.setattr(Histories, "models", models)
    # held, so that no store has to load one
    monkeypatch.setattr(Histories, "encoders", [load_encoder(str(model)) for model in models])
    case = Histories.TestCase
    case.settings = settings(
        max_examples=EXAMPLES,
        stateful_step_count=20,
        deadline=None,
        derandomize=EXAMPLES == 12,
        database=None,
        # a history that failed is short enough to read, and to find a shorter one takes minutes
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    case("runTest").runTest()
