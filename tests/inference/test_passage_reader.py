"""Stored states or computed ones, one question or many, alone or among threads: the same spans."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from haystack_deformer.inference import PassageReader, Reading, passage_reader
from haystack_deformer.passages import PassageEncoder
from haystack_deformer.representations import Representations
from tests.inference.reading_cases import QUESTIONS, SENTENCE, TEXTS, assert_same, one_shot, store


class TestRead:
    @pytest.mark.parametrize("batch_size", [1, 2, 50])
    @pytest.mark.parametrize("top_k_per_window", [1, 4])
    def test_equals_the_long_way(self, encoder: PassageEncoder, batch_size: int, top_k_per_window: int) -> None:
        reader = PassageReader(encoder, batch_size=batch_size, top_k_per_window=top_k_per_window)
        for question in QUESTIONS:
            reading = reader.read(question, TEXTS)
            assert len(reading.spans) == len(TEXTS)
            for text, spans in zip(TEXTS, reading.spans, strict=True):
                assert_same(spans, one_shot(encoder, question, text, top_k_per_window))

    def test_answers_depend_on_the_question(self, encoder: PassageEncoder) -> None:
        one, other = (PassageReader(encoder).read(question, TEXTS).spans for question in QUESTIONS[:2])
        assert one != other

    def test_spans_are_text_and_best_first(self, encoder: PassageEncoder) -> None:
        reading = PassageReader(encoder, top_k_per_window=5, top_k_per_passage=7).read(QUESTIONS[0], TEXTS)
        for text, spans in zip(TEXTS, reading.spans, strict=True):
            assert bool(spans) == bool(text.strip())
            assert len(spans) <= 7
            assert all(0 <= span.start < span.end <= len(text) for span in spans)
            assert all(text[span.start : span.end].strip() == text[span.start : span.end] for span in spans)
            margins = [span.margin for span in spans]
            assert margins == sorted(margins, reverse=True)
            assert len({(span.start, span.end) for span in spans}) == len(spans)

    def test_nothing_to_read(self, encoder: PassageEncoder) -> None:
        assert PassageReader(encoder).read(QUESTIONS[0], []).spans == []

    @pytest.mark.parametrize("question", ["", "  "])
    def test_blank_question_is_refused(self, encoder: PassageEncoder, question: str) -> None:
        with pytest.raises(ValueError, match="question is empty"):
            PassageReader(encoder).read(question, TEXTS)

    def test_longest_answer_is_the_models_or_the_callers(self, encoder: PassageEncoder) -> None:
        assert PassageReader(encoder).max_answer_length == encoder.model.deformer_config.max_answer_length == 30
        # a word of the tiny vocabulary is a token
        text = "paris berlin paris berlin paris berlin"
        reader = PassageReader(encoder, max_answer_length=2, top_k_per_window=50, top_k_per_passage=50)
        found = {text[span.start : span.end] for span in reader.read(QUESTIONS[0], [text]).spans[0]}
        assert max(len(answer.split()) for answer in found) <= 2

    def test_duplicates_within_a_window(self, encoder: PassageEncoder) -> None:
        text = "paris is the capital of france"
        settings: dict[str, Any] = {"top_k_per_window": 100, "top_k_per_passage": 100}
        (every,) = PassageReader(encoder, duplicate_filtering=-1, **settings).read(QUESTIONS[0], [text]).spans
        (distinct,) = PassageReader(encoder, duplicate_filtering=0, **settings).read(QUESTIONS[0], [text]).spans
        # six words: 6 + 5 + 4 + 3 + 2 + 1 spans
        assert len(every) == 21
        assert every[0] == distinct[0]
        assert len({span.start for span in distinct}) == len({span.end for span in distinct}) == len(distinct)

    def test_answer_in_an_overlap_is_reported_once(self, encoder: PassageEncoder) -> None:
        text = SENTENCE * 3
        (representation,) = encoder.encode([text])
        assert representation.n_windows == 2
        reader = PassageReader(encoder, top_k_per_window=10_000, top_k_per_passage=10_000, duplicate_filtering=-1)
        (spans,) = reader.read(QUESTIONS[0], [text]).spans
        places = [(span.start, span.end) for span in spans]
        assert len(set(places)) == len(places)
        first, second = (
            {(int(start), int(end)) for start in offsets[:-1, 0] for end in offsets[:-1, 1] if end > start}
            for _, offsets in representation.windows()
        )
        # spans of at most 30 tokens: those of both windows were there to be reported twice
        assert any(place in first and place in second for place in places)


class TestReadPairs:
    PAIRS = ((0, 1), (2, 1), (1, 6), (0, 2), (0, 1), (2, 3), (1, 0))

    def test_equal_each_pair_alone(self, encoder: PassageEncoder) -> None:
        reader = PassageReader(encoder)
        reading = reader.read_pairs(QUESTIONS, TEXTS, self.PAIRS)
        assert len(reading.spans) == len(self.PAIRS)
        for (question, text), spans in zip(self.PAIRS, reading.spans, strict=True):
            assert_same(spans, reader.read(QUESTIONS[question], [TEXTS[text]]).spans[0], 1e-5)

    def test_more_passages_than_are_held_at_once(
        self, encoder: PassageEncoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pairs = [(question, text) for text in range(len(TEXTS)) for question in range(len(QUESTIONS))]
        reader = PassageReader(encoder)
        whole = reader.read_pairs(QUESTIONS, TEXTS, pairs)
        monkeypatch.setattr(passage_reader, "BYTES_IN_MEMORY", 60)
        parts = reader.read_pairs(QUESTIONS, TEXTS, pairs)
        assert parts.computed == whole.computed == len(TEXTS)
        for one, other in zip(whole.spans, parts.spans, strict=True):
            assert_same(one, other, 1e-5)

    def test_what_was_read_is_let_go(self, encoder: PassageEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of many questions on many passages neither all questions' states are held nor those of two chunks."""
        held: list[weakref.ref[Any]] = []
        alive: list[int] = []
        get, encode = PassageReader._representations, encoder.runtime().encode_question

        def read(self: PassageReader, texts: list[str], keys: list[bytes], reading: Reading) -> Any:
            gc.collect()
            alive.append(sum(one() is not None for one in held))
            found = get(self, texts, keys, reading)
            held.extend(map(weakref.ref, found))
            return found

        def encode_question(token_ids: Any) -> Any:
            states = encode(token_ids)
            held.append(weakref.ref(states))
            return states

        monkeypatch.setattr(passage_reader, "BYTES_IN_MEMORY", 1)
        monkeypatch.setattr(PassageReader, "_representations", read)
        reader = PassageReader(encoder)
        monkeypatch.setattr(reader.runtime, "encode_question", encode_question)
        questions = [f"what is {word}" for word in ("paris", "berlin", "france")]
        texts = ["paris is a city", "berlin is a city", "france"]
        # the first question is asked of the last passage too
        reader.read_pairs(questions, texts, [(0, 0), (1, 1), (2, 2), (0, 2)])
        assert len(held) == 6
        # the first question's, and those of the one that is asked of the chunk
        assert alive == [1, 2, 2]

    def test_every_question_and_passage_is_encoded_once(
        self, encoder: PassageEncoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime = encoder.runtime()
        questions: list[Any] = []
        windows: list[Any] = []
        encode_question, encode_passages = runtime.encode_question, runtime.encode_passages

        def count_question(token_ids: Any) -> Any:
            questions.append(token_ids)
            return encode_question(token_ids)

        def count_windows(asked: Any, batch_size: int) -> Any:
            windows.extend(asked)
            return encode_passages(asked, batch_size)

        monkeypatch.setattr(runtime, "encode_question", count_question)
        monkeypatch.setattr(runtime, "encode_passages", count_windows)
        texts = [SENTENCE, "paris", SENTENCE]
        reading = PassageReader(encoder).read_pairs(
            [QUESTIONS[0], QUESTIONS[1], QUESTIONS[0]], texts, [(q, t) for q in range(3) for t in range(3)]
        )
        assert (len(questions), len(windows)) == (2, 2)
        assert (reading.found, reading.computed) == (0, 2)
        assert reading.spans[0] == reading.spans[2] == reading.spans[6] == reading.spans[8]

    def test_questions_that_nobody_asks_are_not_read(self, encoder: PassageEncoder) -> None:
        assert PassageReader(encoder).read_pairs(["", QUESTIONS[0]], TEXTS, [(1, 0)]).spans[0]

    def test_no_pairs(self, encoder: PassageEncoder) -> None:
        reading = PassageReader(encoder).read_pairs(QUESTIONS, TEXTS, [])
        assert (reading.spans, reading.found, reading.computed) == ([], 0, 0)

    def test_progress_counts_pairs(self, encoder: PassageEncoder, capfd: pytest.CaptureFixture[str]) -> None:
        PassageReader(encoder).read_pairs(QUESTIONS, TEXTS, self.PAIRS)
        assert "Reading" not in capfd.readouterr().err
        PassageReader(encoder).read_pairs(QUESTIONS, TEXTS, self.PAIRS, progress_bar=True)
        assert f"{len(self.PAIRS)}/{len(self.PAIRS)}" in capfd.readouterr().err


def test_threads_get_what_one_gets(encoder: PassageEncoder, memory: Representations) -> None:
    store(memory, encoder, TEXTS[::2])
    reader = PassageReader(encoder, memory, batch_size=3)
    alone = [reader.read(question, TEXTS) for question in QUESTIONS]

    def read(number: int) -> Reading:
        return reader.read(QUESTIONS[number % 3], TEXTS)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(read, range(24)))
    for number, reading in enumerate(together):
        expected = alone[number % 3]
        assert (reading.found, reading.computed) == (expected.found, expected.computed)
        for one, other in zip(reading.spans, expected.spans, strict=True):
            assert_same(one, other, 1e-5)


def test_timings_name_what_took_the_time(encoder: PassageEncoder, memory: Representations) -> None:
    computed = PassageReader(encoder).read(QUESTIONS[0], TEXTS).timings
    assert min(computed.question, computed.compute, computed.upper, computed.spans) > 0
    assert computed.read == 0
    store(memory, encoder, TEXTS)
    stored = PassageReader(encoder, memory).read(QUESTIONS[0], TEXTS).timings
    assert stored.read > 0
    assert stored.compute == 0
