"""What `run` says beside the answers."""

from __future__ import annotations

from pathlib import Path

from haystack import Pipeline
from haystack.schema import Document, Label, MultiLabel

from haystack_deformer.document_stores import DeFormerInMemoryDocumentStore
from haystack_deformer.inference import collect_readings
from haystack_deformer.nodes import DeFormerReader


def test_run_copies_meta_but_not_our_bookkeeping(store: DeFormerInMemoryDocumentStore, tiny_deformer: Path) -> None:
    reader = DeFormerReader(str(tiny_deformer), document_store=store, progress_bar=False)
    stored = store.get_all_documents()
    results, stream = reader.run("who", stored)
    assert stream == "output_1"
    names = {document.id: document.meta["name"] for document in stored}
    for answer in results["answers"]:
        assert answer.meta == {"name": names[answer.document_ids[0]]}
    assert "_debug" not in results


def test_debug_in_a_pipeline(store: DeFormerInMemoryDocumentStore, tiny_deformer: Path) -> None:
    pipeline = Pipeline()
    pipeline.add_node(DeFormerReader(str(tiny_deformer), document_store=store), "Reader", ["Query"])
    documents = [*store.get_all_documents(), Document(content="a river")]
    result = pipeline.run(query="who", documents=documents, params={"Reader": {"top_k": 1, "debug": True}})
    assert len(result["answers"]) == 1
    debug = result["_debug"]["Reader"]["runtime"]
    assert (debug["found"], debug["computed"]) == (4, 1)
    assert set(debug["milliseconds"]) == {"question", "read", "compute", "upper", "spans"}
    assert debug["milliseconds"]["upper"] > 0


def test_debug_tells_nothing_of_an_earlier_question(store: DeFormerInMemoryDocumentStore, tiny_deformer: Path) -> None:
    reader = DeFormerReader(str(tiny_deformer), document_store=store, progress_bar=False)
    reader.debug = True
    results, _ = reader.run("what is the capital", store.get_all_documents())
    assert results["_debug"]["found"] == store.get_document_count()
    results, _ = reader.run("what is the capital", [])
    assert "_debug" not in results


def test_debug_tells_of_the_question_and_not_of_its_labels(plain: DeFormerReader, documents: list[Document]) -> None:
    plain.debug = True
    label = Label(
        query="who",
        document=documents[0],
        is_correct_answer=True,
        is_correct_document=True,
        origin="gold-label",
        answer=None,
    )
    with collect_readings() as readings:
        results, _ = plain.run("who", documents, labels=MultiLabel([label]), add_isolated_node_eval=True)
    assert [reading.computed for reading in readings] == [len(documents), 1]
    assert results["_debug"]["computed"] == len(documents)
