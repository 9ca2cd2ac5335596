"""Whole `predict` calls of all readers, in turn, and where the time of ours goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import ceil
from statistics import median
from time import perf_counter
from typing import Any

from haystack.schema import Document

from haystack_deformer.benchmark.readers import OURS
from haystack_deformer.benchmark.timing import Products, Times, take_turns
from haystack_deformer.benchmark.workload import Workload
from haystack_deformer.inference import Reading, collect_readings
from haystack_deformer.modeling.costs import layer_flops
from haystack_deformer.passages import PassageEncoder

_TURNS = 3
"""Of each reader with so many clients."""


def _passages(workload: Workload, number: int, top_k: int) -> list[Document]:
    """What a retriever could have found: other passages for every question."""
    documents = workload.documents
    return [documents[(number * top_k + place) % len(documents)] for place in range(top_k)]


def measure_latency(
    readers: Mapping[str, Any],
    workload: Workload,
    *,
    top_k: int,
    rounds: int,
    before: Callable[[], object] | None = None,
    progress_bar: bool = True,
) -> dict[str, Any]:
    """
    Time readers on the same questions and passages.

    :param readers: by name.
    :param workload: questions and passages.
    :param top_k: passages of a question.
    :param rounds: questions.
    :param before: called before each call, off the clock.
    :param progress_bar: whether to show one.
    :return: for each reader median and p95 in ms, passages a second, and the ratios to all others, pair by pair.
    """
    parts: dict[str, list[dict[str, float]]] = {name: [] for name in readers if name.startswith(OURS)}
    encoder = next((readers[name].encoder for name in parts), None)
    products = Products(encoder.model.backbone.hidden_size if encoder else 768)

    def asked(number: int) -> tuple[str, list[Document]]:
        return workload.questions[number % len(workload.questions)], _passages(workload, number, top_k)

    def call(name: str) -> Callable[[int], None]:
        def predict(number: int) -> None:
            question, passages = asked(number)
            with collect_readings() as readings:
                begin = perf_counter()
                readers[name].predict(question, passages)
                whole = perf_counter() - begin
            if name in parts:
                parts[name].append(_parts(readings[0], whole))

        return predict

    calls: dict[str, Callable[[int], object]] = {name: call(name) for name in readers}
    times = take_turns({**calls, "products": products}, rounds, before=before, progress_bar=progress_bar)
    rate = products.rate(times.pop("products"))
    # off the clock: it reads the passages once more
    operations = [] if encoder is None else [_upper_flops(encoder, *asked(number)) for number in range(rounds)]
    # of the rate that products alone reached, in turn with the readers; the first call warmed up
    shares = {
        name: median(count / taken["upper"] for count, taken in zip(operations, rows[1:], strict=True)) / rate
        for name, rows in parts.items()
    }
    return {
        "top_k": top_k,
        "rounds": rounds,
        "fp32_products_gflops": round(rate / 1e9, 1),
        "readers": {name: _summary(name, times, top_k) for name in times},
        "upper_layers_share_of_rate": {name: round(share, 3) for name, share in shares.items()},
        "milliseconds": {
            name: {part: round(median(taken[part] for taken in rows[1:]) * 1000, 2) for part in rows[0]}
            for name, rows in parts.items()
        },
    }


def _summary(name: str, times: Mapping[str, Times], top_k: int) -> dict[str, Any]:
    own = times[name]
    return {
        "median_ms": round(own.median * 1000, 1),
        "p95_ms": round(own.p95 * 1000, 1),
        "documents_per_second": round(top_k / own.median, 1),
        "times_faster_than": {
            other: [round(value, 2) for value in own.ratio(theirs)] for other, theirs in times.items() if other != name
        },
    }


def _parts(reading: Reading, whole: float) -> dict[str, float]:
    """Seconds of each part of our reader, and of what is left: answers, and the way there."""
    timings = vars(reading.timings)
    return {**timings, "answers": whole - sum(timings.values())}


def _upper_flops(encoder: PassageEncoder, question: str, passages: Sequence[Document]) -> float:
    """Operations of the upper layers over a question and passages."""
    asked = len(encoder.tokenizer.question(question))
    tokenized = encoder.tokenizer.passages([passage.content for passage in passages])
    windows = [ids for passage in tokenized for ids in passage.window_ids]
    model = encoder.model
    whole_layers = model.num_layers - model.lower_layers - 1
    trims = model.backbone.trims_last_layer
    return sum(
        whole_layers * layer_flops(model.config, asked + len(ids))
        + layer_flops(model.config, asked + len(ids), queries=1 + len(ids) if trims else None)
        for ids in windows
    )


def measure_threads(
    readers: Mapping[str, Any],
    workload: Workload,
    *,
    top_k: int,
    calls: int,
    threads: tuple[int, ...] = (1, 2, 4, 8),
    progress_bar: bool = True,
) -> dict[str, Any]:
    """
    Questions a second that readers answer for several clients at once, in turn.

    :param readers: by name.
    :param workload: questions and passages.
    :param top_k: passages of a question.
    :param calls: questions for each number of clients, at least: in each of three turns all clients ask as many.
    :param threads: numbers of clients.
    :param progress_bar: whether to show some.
    :return: for each reader by number of clients, the median of the turns.
    """
    found: dict[str, dict[str, float]] = {name: {} for name in readers}
    for clients in threads:
        questions = clients * ceil(calls / (_TURNS * clients))
        asking = {
            name: partial(_ask_at_once, reader, workload, top_k, clients, questions) for name, reader in readers.items()
        }
        # the turn that is not counted loads what is loaded at the first use
        for name, times in take_turns(asking, _TURNS, progress_bar=progress_bar).items():
            found[name][str(clients)] = round(questions / times.median, 2)
    return found


def _ask_at_once(reader: Any, workload: Workload, top_k: int, clients: int, questions: int, turn: int) -> None:
    def ask(number: int) -> None:
        reader.predict(workload.questions[number % len(workload.questions)], _passages(workload, number, top_k))

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, range(turn * questions, (turn + 1) * questions)))
