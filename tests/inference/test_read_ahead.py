"""Stored states are read while the question is computed, on another core, where the runtime leaves one free."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from haystack_deformer.inference import PassageReader
from haystack_deformer.inference import read_ahead as module
from haystack_deformer.passages import PassageEncoder
from haystack_deformer.representations import Representations, RepresentationStoreError
from haystack_deformer.runtime import Runtime
from haystack_deformer.runtime.onnx_runtime import OnnxRuntime
from tests.inference.reading_cases import QUESTIONS, TEXTS, store


class LeavesCores(Runtime):
    """Another's, which says so, and notes what happens before a question is done."""

    leaves_cores = True

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.has_read = threading.Event()

    def encode_question(self, token_ids: Sequence[int]) -> Any:
        # of no end where nothing reads meanwhile
        assert self.has_read.wait(60)
        return self.runtime.encode_question(token_ids)

    def encode_passages(self, windows: Any, batch_size: int) -> Any:
        return self.runtime.encode_passages(windows, batch_size)

    def read(self, question: Any, windows: Any, batch_size: int) -> Any:
        return self.runtime.read(question, windows, batch_size)


@pytest.fixture
def reader(encoder: PassageEncoder, memory: Representations, monkeypatch: pytest.MonkeyPatch) -> PassageReader:
    store(memory, encoder, TEXTS)
    runtime = LeavesCores(encoder.runtime())
    get = memory.get
    monkeypatch.setattr(memory, "get", lambda keys: (get(keys), runtime.has_read.set())[0])
    return PassageReader(encoder, memory, runtime=runtime)


def test_reads_the_same_while_the_question_is_computed(
    reader: PassageReader, encoder: PassageEncoder, memory: Representations
) -> None:
    reading = reader.read_pairs(QUESTIONS, TEXTS, [(q, t) for q in range(len(QUESTIONS)) for t in range(len(TEXTS))])
    assert (reading.found, reading.computed) == (len(dict.fromkeys(TEXTS)), 0)
    plain = PassageReader(encoder, memory).read_pairs(
        QUESTIONS, TEXTS, [(q, t) for q in range(len(QUESTIONS)) for t in range(len(TEXTS))]
    )
    assert reading.spans == plain.spans


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux's")
def test_on_another_core_than_the_caller_is_on(reader: PassageReader, monkeypatch: pytest.MonkeyPatch) -> None:
    cores = os.sched_getaffinity(0)
    monkeypatch.setattr(module, "_current_core", lambda: min(cores))
    seen: list[set[int]] = []
    prefetch = reader.representations.prefetch  # type: ignore[union-attr]
    monkeypatch.setattr(
        reader.representations, "prefetch", lambda keys: (seen.append(os.sched_getaffinity(0)), prefetch(keys))
    )
    reader.read(QUESTIONS[0], TEXTS)
    # where there is one alone, it is that
    assert seen == [cores - {min(cores)} or cores]
    assert os.sched_getaffinity(0) == cores


def test_an_error_of_the_store_is_the_callers(reader: PassageReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> Any:
        reader.runtime.has_read.set()  # type: ignore[attr-defined]
        msg = "was removed or replaced"
        raise RepresentationStoreError(msg)

    monkeypatch.setattr(reader.representations, "get", fail)
    with pytest.raises(RepresentationStoreError, match="removed or replaced"):
        reader.read(QUESTIONS[0], TEXTS)


def test_where_no_thread_can_be_started(reader: PassageReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr(reader._ahead._pool, "submit", fail)
    reader.runtime.has_read.set()  # type: ignore[attr-defined]
    assert reader.read(QUESTIONS[0], TEXTS).found == len(dict.fromkeys(TEXTS))


def test_a_question_in_int8_leaves_cores_where_there_are_two(encoder: PassageEncoder, tmp_path: Any) -> None:
    assert not encoder.runtime().leaves_cores
    left = [
        OnnxRuntime(encoder.model, dtype, tmp_path, threads=threads).leaves_cores
        for dtype, threads in (("int8", 2), ("int8", 1), ("float32", 2))
    ]
    assert left == [True, False, False]
