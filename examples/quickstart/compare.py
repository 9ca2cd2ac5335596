"""
FARMReader and DeFormerReader side by side: the same weights, the same retrieved passages, whole `predict` calls.

FARMReader runs the weights as a plain checkpoint with full attention, so its answers differ: only the times compare.
"""

from __future__ import annotations

import statistics
import time

from corpus import MODEL, documents, open_index, questions
from haystack.nodes import FARMReader

QUESTIONS = 20
PASSAGES = 10


def main() -> None:
    """Time both and print medians and the ratio of each pair."""
    corpus = open_index()
    print(corpus.sync(documents()))
    farm = FARMReader(str(MODEL), use_gpu=False, num_processes=0, progress_bar=False)
    took: dict[str, list[float]] = {"FARMReader": [], "DeFormerReader": []}
    asked = [entry["question"] for entry in questions()][: QUESTIONS + 1]
    for number, question in enumerate(asked):
        passages = corpus.retriever.retrieve(query=question, top_k=PASSAGES)
        for name, reader in (("FARMReader", farm), ("DeFormerReader", corpus.reader)):
            begin = time.perf_counter()
            reader.predict(question, passages)
            # the first question warms both up
            if number:
                took[name].append(time.perf_counter() - begin)
    for name, seconds in took.items():
        print(f"{name:15} median {statistics.median(seconds) * 1000:7.1f} ms a question of {PASSAGES} passages")
    ratios = [theirs / ours for theirs, ours in zip(*took.values(), strict=True)]
    print(f"ratio, pair by pair: median {statistics.median(ratios):.1f}, from {min(ratios):.1f} to {max(ratios):.1f}")


if __name__ == "__main__":
    main()
