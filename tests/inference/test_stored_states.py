"""States from the store in place of computed ones: the same spans, and a word where they were not there."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from haystack_deformer.inference import PassageReader
from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageEncoder, PassageTokenizer, load_tokenizer
from haystack_deformer.representations import Representations
from tests.inference.reading_cases import QUESTIONS, SENTENCE, TEXTS, assert_same, one_shot, store


class TestStoredStates:
    def test_answer_the_same_as_computed_ones(self, encoder: PassageEncoder, memory: Representations) -> None:
        reader = PassageReader(encoder, memory)
        before = reader.read(QUESTIONS[0], TEXTS)
        store(memory, encoder, TEXTS)
        after = reader.read(QUESTIONS[0], TEXTS)
        assert (before.found, before.computed) == (0, len(TEXTS))
        assert (after.found, after.computed) == (len(TEXTS), 0)
        for one, other in zip(before.spans, after.spans, strict=True):
            # through the codec both: computed states are rounded as stored ones are
            assert_same(one, other, 1e-4)

    def test_codec_costs_little(self, encoder: PassageEncoder, memory: Representations) -> None:
        store(memory, encoder, TEXTS)
        stored = PassageReader(encoder, memory).read(QUESTIONS[0], TEXTS)
        plain = PassageReader(encoder).read(QUESTIONS[0], TEXTS)
        for one, other in zip(stored.spans, plain.spans, strict=True):
            assert [span.margin for span in one] == pytest.approx([span.margin for span in other], abs=0.1)

    def test_are_what_is_read(self, encoder: PassageEncoder, memory: Representations) -> None:
        """Put one text's states under another's key: its spans come out. No passage is tokenised."""
        (other,) = encoder.encode([SENTENCE])
        memory.put({memory.key("berlin " * 20): other})
        reader = PassageReader(encoder, memory)
        swapped = reader.read(QUESTIONS[0], ["berlin " * 20])
        assert (swapped.found, swapped.computed) == (1, 0)
        assert_same(swapped.spans[0], reader.read(QUESTIONS[0], [SENTENCE]).spans[0])

    def test_some_are_there(self, encoder: PassageEncoder, memory: Representations) -> None:
        store(memory, encoder, TEXTS[::2])
        reader = PassageReader(encoder, memory)
        reading = reader.read(QUESTIONS[0], TEXTS)
        assert (reading.found, reading.computed) == (6, 5)
        for text, spans in zip(TEXTS, reading.spans, strict=True):
            assert_same(spans, reader.read(QUESTIONS[0], [text]).spans[0])

    def test_on_disk(self, encoder: PassageEncoder, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
        manifest = encoder.manifest("SQfp16")
        with Representations.open(manifest, tmp_path / "states") as writer:
            store(writer, encoder, TEXTS)
        with Representations.open(manifest, tmp_path / "states", read_only=True) as representations:
            reading = PassageReader(encoder, representations).read(QUESTIONS[0], TEXTS)
        assert (reading.found, reading.computed) == (len(TEXTS), 0)
        for text, spans in zip(TEXTS, reading.spans, strict=True):
            expected = one_shot(encoder, QUESTIONS[0], text)
            assert [span.margin for span in spans] == pytest.approx([span.margin for span in expected], abs=0.1)
        # torch warns of memory that it may not write to
        assert not [warning for warning in recwarn if "writable" in str(warning.message)]

    def test_are_asked_of_the_disk_before_the_question_is_computed(
        self, encoder: PassageEncoder, memory: Representations, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store(memory, encoder, TEXTS)
        reader = PassageReader(encoder, memory)
        done: list[tuple[str, Any]] = []

        def noted(owner: Any, name: str) -> None:
            real = getattr(owner, name)
            monkeypatch.setattr(owner, name, lambda given: (done.append((name, given)), real(given))[1])

        noted(memory, "prefetch")
        noted(memory, "get")
        noted(reader.runtime, "encode_question")
        reader.read(QUESTIONS[0], TEXTS)
        keys = [memory.key(text) for text in dict.fromkeys(TEXTS)]
        question = encoder.tokenizer.question(QUESTIONS[0])
        assert done == [("prefetch", keys), ("encode_question", question), ("get", keys)]

    def test_of_another_cut_are_not_found(self, encoder: PassageEncoder, tiny_bert: Path, tmp_path: Path) -> None:
        model = DeFormerForQuestionAnswering.from_pretrained(
            tiny_bert, 1, max_seq_len=62, doc_stride=20, max_question_length=20
        )
        tokenizer = PassageTokenizer(load_tokenizer(tiny_bert), model.deformer_config, model.backbone)
        other = PassageEncoder(model, tokenizer, name="other")
        with Representations.open(encoder.manifest("SQfp16"), tmp_path / "states") as mine:
            store(mine, encoder, TEXTS)
        with Representations.open(other.manifest("SQfp16"), tmp_path / "states") as theirs:
            reading = PassageReader(other, theirs).read(QUESTIONS[0], TEXTS)
        assert (reading.found, reading.computed) == (0, len(TEXTS))


class TestReportOfComputed:
    def test_is_a_warning_once(self, encoder: PassageEncoder, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        reader = PassageReader(encoder)
        reader.read(QUESTIONS[0], TEXTS[:3])
        reader.read(QUESTIONS[0], TEXTS[:2])
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
        assert [record.getMessage().count("logged at INFO") for record in caplog.records] == [1, 0]
        assert "3 passages of 3 were not stored" in caplog.records[0].getMessage()
        assert "has no store of its model's states" in caplog.records[0].getMessage()

    def test_names_the_remedy_and_the_count(
        self, encoder: PassageEncoder, memory: Representations, caplog: pytest.LogCaptureFixture
    ) -> None:
        store(memory, encoder, TEXTS[:2])
        PassageReader(encoder, memory).read(QUESTIONS[0], TEXTS[:3])
        assert "1 passages of 3 were not stored" in caplog.text
        assert "update_representations()" in caplog.text

    def test_is_not_made_where_all_are_stored(
        self, encoder: PassageEncoder, memory: Representations, caplog: pytest.LogCaptureFixture
    ) -> None:
        store(memory, encoder, TEXTS)
        PassageReader(encoder, memory).read(QUESTIONS[0], TEXTS)
        assert not caplog.records
