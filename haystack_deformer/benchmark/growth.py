"""What changes with the size of the corpus, the number of passages read, and their length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from haystack.schema import Document

from haystack_deformer.benchmark.storage import data_file, made_states, made_text, measure_reads, private_memory
from haystack_deformer.benchmark.timing import take_turns
from haystack_deformer.benchmark.workload import Workload, random_documents
from haystack_deformer.inference import PassageReader
from haystack_deformer.passages import load_encoder
from haystack_deformer.representations import Representations


def grow_corpus(
    workload: Workload,
    folder: Path,
    *,
    sizes: Sequence[int],
    codec: str,
    backend: str,
    dtype: str,
    top_k: int,
    rounds: int = 20,
    progress_bar: bool = True,
) -> list[dict[str, Any]]:
    """
    Read the same number of passages out of ever more stored ones; sizes take turns, question by question.

    :param workload: its documents' states are what is stored, again and again.
    :param folder: for the stores, one for each size.
    :param sizes: stored passages.
    :param codec: factory string of faiss, small enough for the disk.
    :param backend: what runs the upper layers.
    :param dtype: of their matrix products.
    :param top_k: passages read for a question.
    :param rounds: questions.
    :param progress_bar: whether to show one.
    """
    encoder = load_encoder(workload.model, lower_layers=workload.lower_layers, device="cpu")
    # the same in every store, so that the smallest has to hold them all
    texts = [document.content for document in workload.documents][: min(sizes)]
    runtime = encoder.runtime(backend, dtype)
    stores: dict[int, Representations] = {}
    memory: dict[int, int] = {}
    for size in sizes:
        before = private_memory()
        stores[size] = made_states(encoder, codec, folder / str(size), size, texts, progress_bar=progress_bar)
        PassageReader(encoder, stores[size], runtime=runtime).read(workload.questions[0], [made_text(0)])
        memory[size] = private_memory() - before

    def ask(size: int) -> Any:
        reader = PassageReader(encoder, stores[size], runtime=runtime)

        def read(number: int) -> None:
            question = workload.questions[number % len(workload.questions)]
            # the same passages' states in every store, at places of its own
            rng = np.random.default_rng(number)
            same = rng.integers(len(texts), size=top_k)
            numbers = same + len(texts) * rng.integers(size // len(texts), size=top_k)
            reader.read(question, [made_text(int(place)) for place in numbers])

        return read

    times = take_turns({str(size): ask(size) for size in sizes}, rounds, progress_bar=progress_bar)
    smallest = times[str(sizes[0])]
    rows = []
    for size in sizes:
        own = times[str(size)]
        rows.append(
            {
                "passages": size,
                "codec": codec,
                "top_k": top_k,
                "gigabytes": round(data_file(stores[size]).stat().st_size / 1e9, 3),
                "read_ms": round(own.median * 1000, 1),
                "p95_ms": round(own.p95 * 1000, 1),
                "times_the_smallest": round(own.ratio(smallest)[0] ** -1, 3),
                "states_ms": measure_reads(stores[size], size, at_once=top_k),
                "private_memory_mb": round(memory[size] / 1e6, 1),
            }
        )
        stores[size].close()
    return rows


def grow_top_k(
    readers: dict[str, Any], workload: Workload, *, top_ks: Sequence[int], rounds: int, progress_bar: bool = True
) -> list[dict[str, Any]]:
    """
    Whole `predict` calls over more and more passages.

    :param readers: by name.
    :param workload: questions and passages.
    :param top_ks: passages of a question.
    :param rounds: questions for each.
    :param progress_bar: whether to show one.
    """
    documents = list(workload.documents)
    rows = []
    for top_k in top_ks:
        # all of them as often as it takes, as other texts
        passages = [
            Document(content=f"{documents[place % len(documents)].content} {place // len(documents) or ''}".strip())
            for place in range(top_k)
        ]
        rows.append({"top_k": top_k, **_medians(readers, workload, passages, rounds, progress_bar=progress_bar)})
    return rows


def grow_length(
    readers: dict[str, Any], workload: Workload, *, lengths: Sequence[int], rounds: int, progress_bar: bool = True
) -> list[dict[str, Any]]:
    """
    Whole `predict` calls over ten passages of one length.

    :param readers: by name; those with a store write the passages first.
    :param workload: questions.
    :param lengths: tokens of the passages.
    :param rounds: questions for each.
    :param progress_bar: whether to show one.
    """
    rng = np.random.default_rng(2)
    rows = []
    for length in lengths:
        passages = random_documents(rng, workload.words, [length] * 10)
        rows.append({"tokens": length, **_medians(readers, workload, passages, rounds, progress_bar=progress_bar)})
    return rows


def _medians(
    readers: dict[str, Any], workload: Workload, passages: list[Document], rounds: int, *, progress_bar: bool
) -> dict[str, Any]:
    for reader in readers.values():
        store = getattr(reader, "document_store", None)
        if store is not None:
            store.write_documents(passages)

    def call(reader: Any) -> Any:
        return lambda number: reader.predict(workload.questions[number % len(workload.questions)], passages)

    times = take_turns({name: call(reader) for name, reader in readers.items()}, rounds, progress_bar=progress_bar)
    return {"median_ms": {name: round(own.median * 1000, 1) for name, own in times.items()}}
