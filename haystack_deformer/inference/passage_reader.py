"""The way of a question: encode it once, read the passages' states in one batch, run the upper layers, mark spans."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TypeAlias

from tqdm import tqdm

from haystack_deformer.inference.read_ahead import ReadAhead
from haystack_deformer.inference.reading import Reading, report_reading
from haystack_deformer.passages import PassageEncoder
from haystack_deformer.passages.chunks import BYTES_IN_MEMORY, in_chunks
from haystack_deformer.reading import TextSpan, best_spans, merge_windows
from haystack_deformer.representations import PassageRepresentation, Representations
from haystack_deformer.runtime.base import Floats, Runtime

logger = logging.getLogger(__name__)

_Chunk: TypeAlias = dict[str, list[tuple[str, int]]]
"""Passages, each with the questions that are asked of it and the positions of these pairs."""

_Stored: TypeAlias = Callable[[], list[PassageRepresentation | None]]
"""Waits for the states of a chunk's passages; None where there are none."""


class PassageReader:
    """
    Reads passages for questions. Holds no state between calls but its settings, so that threads can share it.

    :param encoder: the model and its tokenizer.
    :param representations: the stored states; None: all are computed.
    :param runtime: runs the question and the upper layers; None: PyTorch in fp32. Passages whose states are missing run
        through the encoder's own, so that an answer does not depend on whether they were stored.
    :param batch_size: windows that run through the upper layers at once, at most.
    :param top_k_per_passage: spans of a passage at most.
    :param top_k_per_window: spans of a window at most.
    :param max_answer_length: tokens of a span at most; None: what the model records.
    :param duplicate_filtering: spans of a window whose starts or ends are at most so many tokens apart count once; -1
        keeps all.
    """

    def __init__(
        self,
        encoder: PassageEncoder,
        representations: Representations | None = None,
        *,
        runtime: Runtime | None = None,
        batch_size: int = 50,
        top_k_per_passage: int = 3,
        top_k_per_window: int = 1,
        max_answer_length: int | None = None,
        duplicate_filtering: int = 0,
    ) -> None:
        self.encoder = encoder
        self.representations = representations
        self.runtime = encoder.runtime() if runtime is None else runtime
        self.batch_size = batch_size
        self.top_k_per_passage = top_k_per_passage
        self.top_k_per_window = top_k_per_window
        recorded = encoder.model.deformer_config.max_answer_length
        self.max_answer_length = recorded if max_answer_length is None else max_answer_length
        self.duplicate_filtering = duplicate_filtering
        self._ahead = ReadAhead()
        self._warned = False

    def read(self, question: str, texts: Sequence[str]) -> Reading:
        """
        One question on some passages.

        :param question: not blank.
        :param texts: the passages.
        :return: spans for each passage.
        """
        return self.read_pairs([question], texts, [(0, number) for number in range(len(texts))])

    def read_pairs(
        self,
        questions: Sequence[str],
        texts: Sequence[str],
        pairs: Sequence[tuple[int, int]],
        *,
        batch_size: int | None = None,
        progress_bar: bool = False,
    ) -> Reading:
        """
        Pairs of a question and a passage. Every question is encoded once and every passage read once.

        :param questions: not blank.
        :param texts: the passages; equal ones are read once.
        :param pairs: positions in `questions` and `texts`.
        :param batch_size: windows that run through the upper layers at once, at most; None: the reader's own.
        :param progress_bar: whether to show one, in pairs.
        :return: spans for each pair.
        :raises ValueError: for a blank question.
        """
        reading = Reading(spans=[[] for _ in pairs])
        # a blank question is refused before anything is read
        token_ids = {
            question: self.encoder.tokenizer.question(question)
            for question in dict.fromkeys(questions[number] for number, _ in pairs)
        }
        wanted: _Chunk = defaultdict(list)
        for position, (asked, read) in enumerate(pairs):
            wanted[texts[read]].append((questions[asked], position))
        items = ((item, item[0]) for item in wanted.items())
        chunks = [dict(chunk) for chunk in in_chunks(items, BYTES_IN_MEMORY)]
        last = {question: number for number, chunk in enumerate(chunks) for question in _asked(chunk)}
        states: dict[str, Floats] = {}
        # one that shows nothing costs a tenth of a millisecond all the same
        shown = tqdm(total=len(pairs), desc="Reading", unit=" passages") if progress_bar else nullcontext()
        with shown as bar:
            for number, chunk in enumerate(chunks):
                new = [question for question in _asked(chunk) if question not in states]
                stored = self._begin_to_read(list(chunk), reading, meanwhile=bool(new))
                # in this thread: where another's OpenMP helpers come on top, there are more than cores, and all of them
                # sleep between two products; a question took half as long again, one passage 1.4 times as long
                with reading.timings.measure("question"):
                    for question in new:
                        states[question] = self.runtime.encode_question(token_ids[question])
                self._read_chunk(chunk, stored, states, reading, batch_size, bar)
                # of many questions those alone are held that are asked of further passages
                states = {question: held for question, held in states.items() if last[question] > number}
        if reading.computed:
            self._report_computed(reading)
        report_reading(reading)
        return reading

    def _begin_to_read(self, texts: Sequence[str], reading: Reading, *, meanwhile: bool) -> _Stored | None:
        """What waits for the passages' states, which are read, or at least asked of the disk, meanwhile."""
        if self.representations is None:
            return None
        with reading.timings.measure("read"):
            keys = [self.representations.key(text) for text in texts]
            if meanwhile and self.runtime.leaves_cores:
                return self._ahead.start(self.representations, keys)
            self.representations.prefetch(keys)
        return partial(self.representations.get, keys)

    def _read_chunk(
        self,
        chunk: _Chunk,
        stored: _Stored | None,
        states: dict[str, Floats],
        reading: Reading,
        batch_size: int | None,
        bar: tqdm | None,
    ) -> None:
        """Passages whose states are held together, and by nobody when this is done."""
        by_question: dict[str, list[tuple[int, PassageRepresentation]]] = defaultdict(list)
        representations = self._representations(list(chunk), stored, reading)
        for asked, representation in zip(chunk.values(), representations, strict=True):
            for question, position in asked:
                by_question[question].append((position, representation))
        for question, passages in by_question.items():
            spans = self._read_one(states[question], [p for _, p in passages], batch_size, reading)
            for (position, _), found in zip(passages, spans, strict=True):
                reading.spans[position] = found
            if bar is not None:
                bar.update(len(passages))

    def _representations(
        self, texts: Sequence[str], stored: _Stored | None, reading: Reading
    ) -> list[PassageRepresentation]:
        """Stored states where there are any, computed ones elsewhere."""
        found: list[PassageRepresentation | None] = [None] * len(texts)
        if stored is not None:
            with reading.timings.measure("read"):
                found = stored()
        missing = [number for number, representation in enumerate(found) if representation is None]
        reading.found += len(texts) - len(missing)
        reading.computed += len(missing)
        if missing:
            with reading.timings.measure("compute"):
                made = self.encoder.encode([texts[number] for number in missing])
                # from the end, each let go when it has been through the codec
                for number in reversed(missing):
                    representation = made.pop()
                    # through the codec, so that an answer does not depend on whether its states were stored
                    found[number] = (
                        representation
                        if self.representations is None
                        else self.representations.roundtrip(representation)
                    )
        return [representation for representation in found if representation is not None]

    def _report_computed(self, reading: Reading) -> None:
        level, once = (logging.INFO, "") if self._warned else (logging.WARNING, " Further ones are logged at INFO.")
        self._warned = True
        if self.representations is None:
            remedy = "the reader has no store of its model's states; a DeFormer document store computes them once"
        else:
            remedy = "call update_representations() on the document store to compute them once"
        logger.log(
            level,
            "The states of %d passages of %d were not stored and were computed for this query: %s.%s",
            reading.computed,
            reading.computed + reading.found,
            remedy,
            once,
        )

    def _read_one(
        self,
        question: Floats,
        passages: Sequence[PassageRepresentation],
        batch_size: int | None,
        reading: Reading,
    ) -> list[list[TextSpan]]:
        """The upper layers and the spans of one question on some passages."""
        windows = [window for passage in passages for window in passage.windows()]
        if not windows:
            return [[] for _ in passages]
        batch_size = self.batch_size if batch_size is None else batch_size
        with reading.timings.measure("upper"):
            start_logits, end_logits = self.runtime.read(question, [states for states, _ in windows], batch_size)
        with reading.timings.measure("spans"):
            spans = best_spans(
                start_logits,
                end_logits,
                [offsets for _, offsets in windows],
                top_k=self.top_k_per_window,
                max_answer_length=self.max_answer_length,
                duplicate_filtering=self.duplicate_filtering,
            )
            merged, first = [], 0
            for passage in passages:
                merged.append(merge_windows(spans[first : first + passage.n_windows], self.top_k_per_passage))
                first += passage.n_windows
        return merged


def _asked(chunk: _Chunk) -> dict[str, None]:
    """The questions of a chunk, each once."""
    return dict.fromkeys(question for asked in chunk.values() for question, _ in asked)
