"""All parts of the benchmark, one after the other, each kept as soon as it is measured."""

from __future__ import annotations

import json
import logging
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from haystack_deformer.benchmark.cold import drop_from_memory
from haystack_deformer.benchmark.growth import grow_corpus, grow_length, grow_top_k
from haystack_deformer.benchmark.indexing import measure_indexing
from haystack_deformer.benchmark.latency import measure_latency, measure_threads
from haystack_deformer.benchmark.memory import measure_memory
from haystack_deformer.benchmark.readers import OURS, make_readers, make_store
from haystack_deformer.benchmark.storage import data_file
from haystack_deformer.benchmark.workload import load_workload
from haystack_deformer.digests import digest_checkpoint, digest_files
from haystack_deformer.files import write_atomically

logger = logging.getLogger(__name__)

PARTS = ("latency", "cold", "memory", "threads", "indexing", "top_k", "length", "corpus")
RESULTS = "benchmark.json"


@dataclass(frozen=True)
class BenchmarkSettings:
    """
    What is measured.

    :param model: name or folder; None: a BERT-base with random weights, made on the spot.
    :param lower_layers: the cut; None: what the model records, 9 for the one that is made.
    :param data: SQuAD-format file with questions and passages; None: random words in passages of XQuAD's lengths.
    :param codec: of the states.
    :param top_k: passages of a question.
    :param rounds: questions for each reader.
    :param parts: of the benchmark.
    :param only: the name of a reader, or parts of names separated by commas; empty: all.
    :param sizes: stored passages of the part "corpus".
    :param corpus_codec: of its states, which repeat and need room.
    """

    model: str | None = None
    lower_layers: int | None = None
    data: str | None = None
    codec: str = "SQfp16"
    top_k: int = 10
    rounds: int = 20
    parts: Sequence[str] = ("latency", "cold", "memory", "indexing")
    only: str = ""
    sizes: Sequence[int] = (1_000, 10_000, 100_000)
    corpus_codec: str = "SQ8"

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.parts) - set(PARTS)):
            msg = f"The benchmark has no part {', '.join(unknown)}: give some of {', '.join(PARTS)}."
            raise ValueError(msg)
        for name in ("top_k", "rounds"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, got {getattr(self, name)}."
                raise ValueError(msg)
        if "corpus" in self.parts and self.sizes and self.top_k > min(self.sizes):
            msg = (
                f"top_k={self.top_k} passages cannot be read of {min(self.sizes)} that are stored: give a larger size."
            )
            raise ValueError(msg)


def run_benchmark(
    settings: BenchmarkSettings,
    folder: Path,
    *,
    on_part: Callable[[dict[str, Any]], object] | None = None,
    progress_bar: bool = True,
) -> dict[str, Any]:
    """
    Measure, and write each part's figures to `benchmark.json` as soon as they are there.

    :param settings: what is measured.
    :param folder: for models, graphs, states and figures; figures of other parts that are there stay, those of another
        model, data, codec or machine are put aside.
    :param on_part: called with all figures after each part.
    :param progress_bar: whether to show some.
    :return: the figures.
    :raises ValueError: for a model or data that cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    workload = load_workload(folder, settings.model, settings.lower_layers, settings.data)
    store = make_store(workload, folder / "states", settings.codec, progress_bar=progress_bar)
    readers = make_readers(workload, store, folder, settings.only)
    ours = {name: reader for name, reader in readers.items() if name.startswith(OURS)}
    few = max(3, settings.rounds // 4)
    # the fastest that there is: what grows beside it shows most
    fastest = ("onnx", "int8") if f"{OURS}, ONNX int8" in ours else ("torch", "float32")

    def drop() -> None:
        drop_from_memory(data_file(store.representations))

    shown: dict[str, Any] = {"progress_bar": progress_bar}
    measures: dict[str, Callable[[], Any]] = {
        "latency": lambda: measure_latency(readers, workload, top_k=settings.top_k, rounds=settings.rounds, **shown),
        "cold": lambda: measure_latency(
            ours, workload, top_k=settings.top_k, rounds=settings.rounds, before=drop, **shown
        ),
        "memory": lambda: measure_memory(
            readers,
            {
                "folder": str(folder),
                # the one that is there: to make a model takes more memory than to read with it
                "model": workload.model,
                "lower_layers": workload.lower_layers,
                "data": settings.data,
                "codec": settings.codec,
                "top_k": settings.top_k,
            },
        ),
        "threads": lambda: measure_threads(readers, workload, top_k=settings.top_k, calls=settings.rounds, **shown),
        "indexing": lambda: [
            measure_indexing(workload, folder, settings.codec, backend=backend, dtype=dtype, **shown)
            for backend, dtype in dict.fromkeys((("torch", "float32"), fastest))
        ],
        "top_k": lambda: grow_top_k(readers, workload, top_ks=(1, 3, 10, 30, 100), rounds=few, **shown),
        "length": lambda: grow_length(readers, workload, lengths=(32, 64, 128, 192), rounds=few, **shown),
        "corpus": lambda: grow_corpus(
            workload,
            folder / "corpus",
            sizes=settings.sizes,
            codec=settings.corpus_codec,
            backend=fastest[0],
            dtype=fastest[1],
            top_k=settings.top_k,
            rounds=settings.rounds,
            **shown,
        ),
    }
    path = folder / RESULTS
    figures = _figures_so_far(
        path,
        workload={
            "description": workload.description,
            "weights": digest_checkpoint(workload.model),
            "data": None if settings.data is None else digest_files([settings.data]),
            "lower_layers": store.lower_layers,
            "layers": store.encoder.model.num_layers,
            "codec": settings.codec,
        },
        machine=_machine(),
    )
    for part in PARTS:
        if part in settings.parts and _can_be_measured(part):
            figures[part] = measures[part]()
            write_atomically(path, (json.dumps(figures, indent=2) + "\n").encode())
            if on_part is not None:
                on_part(figures)
    return figures


def _can_be_measured(part: str) -> bool:
    # to drop a file from the page cache is Linux's own way
    if part in ("cold", "corpus") and not sys.platform.startswith("linux"):
        logger.warning("The part %s reads from the disk alone, which this system cannot be made to do: left out.", part)
        return False
    return True


def _figures_so_far(path: Path, **about: dict[str, Any]) -> dict[str, Any]:
    """The parts that are there already, unless they were measured on something else."""
    if not path.is_file():
        return about
    try:
        figures: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        figures = None
    if not isinstance(figures, dict) or any(figures.get(name) != value for name, value in about.items()):
        aside = path.with_name(f"before-{path.name}")
        path.replace(aside)
        logger.warning(
            "%s is damaged, or of another model, data, codec or machine: it is %s now, and a new one is begun.",
            path,
            aside,
        )
        figures = {}
    return {**figures, **about}


def _machine() -> dict[str, Any]:
    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    names = ("torch", "transformers", "farm-haystack", "faiss-cpu", "onnxruntime")
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "versions": {name: installed(name) for name in names},
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if not path.is_file():
        return platform.processor() or platform.machine()
    lines = dict(line.split(":", 1) for line in path.read_text(encoding="utf-8").splitlines() if ":" in line)
    values = {name.strip(): value.strip() for name, value in lines.items()}
    # those that decide which products are fast
    known = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8")
    flags = [name for name in known if name in values.get("flags", "").split()]
    return f"{values.get('model name', platform.machine())} ({', '.join(flags)})"
