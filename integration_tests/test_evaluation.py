"""Haystack's own evaluation of a pipeline, on the weights of the quickstart and labels from a SQuAD-format file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from haystack import Pipeline
from haystack.nodes import BM25Retriever
from haystack.schema import MultiLabel

from haystack_deformer import DeFormerInMemoryDocumentStore, DeFormerReader

MODEL = Path(__file__).parents[1] / "examples" / "models" / "deformer-minilm-l6-k4"
PASSAGES = {
    "The Eiffel Tower was built in Paris in 1889 by the company of Gustave Eiffel.": [
        ("When was the Eiffel Tower built?", "1889"),
        ("In which city was the Eiffel Tower built?", "Paris"),
    ],
    "The river Danube rises in the Black Forest and flows into the Black Sea.": [
        ("Where does the Danube rise?", "the Black Forest"),
        ("Into which sea does the Danube flow?", "the Black Sea"),
    ],
    "Marie Curie was born in Warsaw in 1867 and won two Nobel Prizes.": [
        ("Where was Marie Curie born?", "Warsaw"),
        ("How many Nobel Prizes did Marie Curie win?", "two"),
    ],
}


@pytest.fixture(scope="module")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    paragraphs = [
        {
            "context": context,
            "qas": [
                {"id": question, "question": question, "answers": [{"text": text, "answer_start": context.index(text)}]}
                for question, text in asked
            ],
        }
        for context, asked in PASSAGES.items()
    ]
    path = tmp_path_factory.mktemp("data") / "dev.json"
    path.write_text(json.dumps({"data": [{"title": "facts", "paragraphs": paragraphs}]}))
    return path


@pytest.fixture(scope="module")
def store(squad: Path) -> DeFormerInMemoryDocumentStore:
    store = DeFormerInMemoryDocumentStore(deformer_model=str(MODEL), use_bm25=True, progress_bar=False)
    store.add_eval_data(str(squad), doc_index="document", label_index="label")
    return store


@pytest.fixture(scope="module")
def pipeline(store: DeFormerInMemoryDocumentStore) -> Pipeline:
    pipeline = Pipeline()
    pipeline.add_node(BM25Retriever(store, top_k=2), "Retriever", ["Query"])
    pipeline.add_node(DeFormerReader(document_store=store, top_k=3, progress_bar=False), "Reader", ["Retriever"])
    return pipeline


@pytest.fixture(scope="module")
def labels(store: DeFormerInMemoryDocumentStore) -> list[MultiLabel]:
    labels: list[MultiLabel] = store.get_all_labels_aggregated(index="label", drop_negative_labels=True)
    assert len(labels) == 6
    return labels


@pytest.mark.parametrize("method", ["eval", "eval_batch"])
def test_pipeline(pipeline: Pipeline, labels: list[MultiLabel], method: str, tmp_path: Path) -> None:
    result = getattr(pipeline, method)(labels=labels, add_isolated_node_eval=True)
    metrics: dict[str, dict[str, Any]] = result.calculate_metrics()
    # the words of each question stand in its passage alone
    assert metrics["Retriever"]["recall_single_hit"] == 1.0
    assert metrics["Reader"]["num_examples_for_eval"] == 6
    # the trained weights know most of these; random ones know none
    assert metrics["Reader"]["f1"] > 0.5
    isolated = result.calculate_metrics(eval_mode="isolated")["Reader"]
    assert isolated["f1"] >= metrics["Reader"]["f1"] - 1e-9
    result.save(tmp_path)
    assert type(result).load(tmp_path).calculate_metrics()["Reader"]["f1"] == pytest.approx(metrics["Reader"]["f1"])


def test_reader_agrees_with_the_command(store: DeFormerInMemoryDocumentStore, squad: Path) -> None:
    reader = DeFormerReader(document_store=store, progress_bar=False)
    by_labels = reader.eval(store, doc_index="document")
    by_file = reader.eval_on_file(squad.parent, squad.name)
    for name in ("reader_time", "seconds_per_query"):
        assert min(by_labels.pop(name), by_file.pop(name)) > 0
    assert by_labels == pytest.approx(by_file)
    assert by_file["f1"] > 50
    assert by_file["Total_text_answer"] == 6
