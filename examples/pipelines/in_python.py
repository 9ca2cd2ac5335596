"""
A pipeline in Python: index some passages, ask, see where the time went.

    python examples/pipelines/in_python.py "When was the Eiffel Tower built?"
"""

from __future__ import annotations

import sys
from pathlib import Path

from haystack import Pipeline
from haystack.nodes import BM25Retriever

from haystack_deformer import DeFormerInMemoryDocumentStore, DeFormerReader

MODEL = Path(__file__).parents[1] / "models" / "deformer-minilm-l6-k4"
PASSAGES = [
    "The Eiffel Tower was built in Paris in 1889 by the company of Gustave Eiffel.",
    "The river Danube rises in the Black Forest and flows into the Black Sea.",
    "Marie Curie was born in Warsaw in 1867 and won two Nobel Prizes.",
]


def main(question: str) -> None:
    """Index and ask."""
    store = DeFormerInMemoryDocumentStore(deformer_model=str(MODEL), use_bm25=True, progress_bar=False)
    # the lower layers run here
    store.write_documents([{"content": passage} for passage in PASSAGES])
    pipeline = Pipeline()
    pipeline.add_node(BM25Retriever(store, top_k=2), "Retriever", ["Query"])
    # and the upper ones here
    pipeline.add_node(DeFormerReader(document_store=store, progress_bar=False), "Reader", ["Retriever"])
    result = pipeline.run(query=question, params={"Reader": {"top_k": 3, "debug": True}})
    for answer in result["answers"]:
        print(f"{answer.score:.2f}  {answer.answer}  ({answer.context})")
    print(result["_debug"]["Reader"]["runtime"])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "When was the Eiffel Tower built?")
