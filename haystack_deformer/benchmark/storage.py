"""Reads of stored states, warm and cold, and how they grow with the corpus."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil
from tqdm import tqdm

from haystack_deformer.benchmark.cold import drop_from_memory
from haystack_deformer.benchmark.timing import Times
from haystack_deformer.passages import PassageEncoder
from haystack_deformer.representations import Representations, encode_record

_WRITE_AT_ONCE = 1_000


def made_states(
    encoder: PassageEncoder, codec: str, folder: Path, count: int, texts: Sequence[str], *, progress_bar: bool = True
) -> Representations:
    """
    A store of so many passages: the states of some texts, again and again under keys of their own.

    :param encoder: makes the states.
    :param codec: factory string of faiss.
    :param folder: of the store; what it holds already counts.
    :param count: passages.
    :param texts: whose states are repeated.
    :param progress_bar: whether to show one.
    :raises ValueError: where the disk has no room for them; names what is needed.
    """
    representations = Representations.open(encoder.manifest(codec), folder, training_sample=encoder.sample_states)
    present = len(representations.store)
    if present >= count:
        return representations
    made = encoder.encode(texts)
    # the first write trains the codec
    own = {representations.key(text): one for text, one in zip(texts, made, strict=True)}
    representations.put(own)
    representations.delete(list(own))
    records = [encode_record(one, representations.codec) for one in made]
    needed = int((count - present) * np.mean([len(record) for record in records]) * 1.1)
    free = shutil.disk_usage(folder).free
    if needed > free:
        msg = f"{count} passages with the codec {codec} need {needed >> 30} GiB, {free >> 30} are free in {folder}."
        raise ValueError(msg)
    with tqdm(total=count, initial=present, desc="Making States", unit=" passages", disable=not progress_bar) as bar:
        for first in range(present, count, _WRITE_AT_ONCE):
            numbers = range(first, min(first + _WRITE_AT_ONCE, count))
            representations.store.put(
                {representations.key(made_text(number)): records[number % len(records)] for number in numbers}
            )
            bar.update(len(numbers))
    return representations


def made_text(number: int) -> str:
    """
    Stands for the text of a passage that was never written.

    :param number: of the passage.
    """
    return f"passage {number}"


def data_file(representations: Representations) -> Path:
    """
    The file that a store on disk reads from.

    :param representations: of the store.
    :raises ValueError: where it is in memory.
    """
    if representations.path is None:
        msg = "States in memory have no file."
        raise ValueError(msg)
    (path,) = representations.path.rglob("data.mdb")
    return path


def _draws(count: int, at_once: int, rounds: int, seed: int) -> Iterator[list[int]]:
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        yield rng.choice(count, size=at_once, replace=False).tolist()


def measure_reads(
    representations: Representations, count: int, *, at_once: int = 10, rounds: int = 50
) -> dict[str, float]:
    """
    Milliseconds of reading some passages of many: from the page cache, and from the disk.

    :param representations: of `made_states`.
    :param count: passages in it.
    :param at_once: passages of a read.
    :param rounds: reads of each kind.
    :return: medians, beside those of `pread` of as many bytes at random places, also warm and cold.
    """
    path = data_file(representations)
    size = path.stat().st_size
    taken: dict[str, list[float]] = {kind: [] for kind in ("warm", "cold", "pread_warm", "pread_cold")}
    rng = np.random.default_rng(1)
    with path.open("rb") as file:
        for numbers in _draws(count, at_once, rounds, seed=0):
            keys = [representations.key(made_text(number)) for number in numbers]
            lengths = [len(record) for record in representations.store.get(keys) if record is not None]
            places = rng.integers(0, max(1, size - max(lengths)), size=len(lengths)).tolist()
            kinds: tuple[tuple[str, Callable[[], object]], ...] = (
                ("", partial(_get, representations, keys)),
                ("pread_", partial(_pread, file.fileno(), lengths, places)),
            )
            for kind, read in kinds:
                drop_from_memory(path)
                # what was read once is warm
                for state in ("cold", "warm"):
                    begin = perf_counter()
                    read()
                    taken[kind + state].append(perf_counter() - begin)
    return {kind: round(Times(np.array(seconds)).median * 1000, 3) for kind, seconds in taken.items()}


def _get(representations: Representations, keys: Sequence[bytes]) -> None:
    """As a reader does."""
    representations.prefetch(keys)
    representations.get(keys)


def _pread(file: int, lengths: Sequence[int], places: Sequence[int]) -> None:
    for length, place in zip(lengths, places, strict=True):
        os.pread(file, length, place)


def private_memory() -> int:
    """Bytes that this process holds for itself; pages of mapped files, which the system can take back, not counted."""
    information = psutil.Process().memory_info()
    return int(information.rss - getattr(information, "shared", 0))
