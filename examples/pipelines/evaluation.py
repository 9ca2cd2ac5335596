"""
How good retriever and reader are, together and the reader alone, on a file in SQuAD format.

    pip install rapidfuzz "transformers<4.52"  # what Haystack's evaluation needs
    python examples/pipelines/evaluation.py dev-v2.0.json path/to/model

The model in this repository was trained on half of SQuAD 2.0's dev-v2.0.json: give it other questions.
"""

from __future__ import annotations

import sys
from pathlib import Path

from haystack import Pipeline
from haystack.nodes import BM25Retriever

from haystack_deformer import DeFormerInMemoryDocumentStore, DeFormerReader

MODEL = Path(__file__).parents[1] / "models" / "deformer-minilm-l6-k4"


def main(data: str, model: str) -> None:
    """Write the file's passages and labels, evaluate, print the figures."""
    store = DeFormerInMemoryDocumentStore(deformer_model=model, use_bm25=True)
    store.add_eval_data(data, doc_index="document", label_index="label")
    pipeline = Pipeline()
    pipeline.add_node(BM25Retriever(store, top_k=10), "Retriever", ["Query"])
    pipeline.add_node(DeFormerReader(document_store=store, top_k=5), "Reader", ["Retriever"])
    labels = store.get_all_labels_aggregated(index="label", drop_negative_labels=True)
    result = pipeline.eval(labels=labels, add_isolated_node_eval=True)
    for mode in ("integrated", "isolated"):
        figures = result.calculate_metrics(eval_mode=mode)
        for node in figures if mode == "integrated" else ("Reader",):
            shown = {name: round(float(value), 3) for name, value in figures[node].items()}
            print(f"{node}, {mode}: {shown}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else str(MODEL))
