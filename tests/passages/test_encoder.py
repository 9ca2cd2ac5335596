"""States do not depend on what is encoded beside them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageEncoder, PassageTokenizer, load_tokenizer
from haystack_deformer.representations import PassageRepresentation

SENTENCE = "paris is the capital of france and has a river. "
# one window, several, none
TEXTS = ["paris", "", SENTENCE, SENTENCE * 5, "berlin", " \n", SENTENCE * 12, "Café 😀 שלום", "x" * 300, SENTENCE * 5]
# near enough in length to be padded together on a CPU
TEXTS += ["paris river city " * 13, "paris river city " * 12 + "berlin germany", "paris river city " * 12 + "france"]


@pytest.fixture(scope="module")
def encoder(tiny_deformer: Path) -> PassageEncoder:
    model = DeFormerForQuestionAnswering.from_pretrained(tiny_deformer)
    passages = PassageTokenizer(load_tokenizer(tiny_deformer), model.deformer_config, model.backbone)
    return PassageEncoder(model, passages, name="tiny")


def assert_same(one: PassageRepresentation, other: PassageRepresentation, tolerance: float = 1e-5) -> None:
    assert one.window_lengths.tolist() == other.window_lengths.tolist()
    assert np.array_equal(one.offsets, other.offsets)
    np.testing.assert_allclose(one.states, other.states, atol=tolerance, rtol=0)


class TestEncode:
    @pytest.mark.parametrize("batch_size", [1, 3, 100])
    def test_equals_each_text_alone_in_order(self, encoder: PassageEncoder, batch_size: int) -> None:
        together = encoder.encode(TEXTS, batch_size=batch_size)
        assert len(together) == len(TEXTS)
        for text, representation in zip(TEXTS, together, strict=True):
            assert_same(representation, encoder.encode([text])[0])

    @given(data=st.data())
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
    def test_equals_each_text_alone_for_any_lengths(self, encoder: PassageEncoder, data: st.DataObject) -> None:
        words = st.lists(st.sampled_from(["paris", "the", "city", "x9", "?"]), max_size=90)
        texts = data.draw(st.lists(words.map(" ".join), max_size=8))
        for text, representation in zip(texts, encoder.encode(texts, batch_size=4), strict=True):
            assert_same(representation, encoder.encode([text])[0])

    def test_equals_the_models_lower_layers_over_the_windows(self, encoder: PassageEncoder) -> None:
        (representation,) = encoder.encode([SENTENCE * 5])
        (passage,) = encoder.tokenizer.passages([SENTENCE * 5])
        assert representation.n_windows == len(passage.window_ids) > 2
        windows = zip(representation.windows(), passage.window_ids, passage.window_offsets, strict=True)
        with torch.inference_mode():
            for (states, offsets), ids, expected_offsets in windows:
                expected = encoder.model.encode_passages(torch.tensor([ids]))[0].numpy()
                np.testing.assert_allclose(states, expected, atol=1e-5, rtol=0)
                assert np.array_equal(offsets, expected_offsets)

    def test_different_texts_have_different_states(self, encoder: PassageEncoder) -> None:
        one, other = encoder.encode(["paris", "berlin"])
        assert np.abs(one.states - other.states).max() > 0.1

    def test_text_without_a_token_has_no_window(self, encoder: PassageEncoder) -> None:
        for representation in encoder.encode(["", " \n\t"]):
            assert representation.n_windows == 0
            assert representation.states.shape == (0, 32)
            assert representation.states.dtype == np.float32
            assert representation.offsets.shape == (0, 2)

    def test_no_texts(self, encoder: PassageEncoder) -> None:
        assert encoder.encode([]) == []

    def test_every_text_is_reported_once(self, encoder: PassageEncoder) -> None:
        done: list[int] = []
        encoder.encode(TEXTS, on_text=done.append)
        assert sorted(done) == list(range(len(TEXTS)))

    def test_batch_size_below_one_is_refused(self, encoder: PassageEncoder) -> None:
        with pytest.raises(ValueError, match="batch_size"):
            encoder.encode(["paris"], batch_size=-1)

    def test_threads_get_what_one_gets(self, encoder: PassageEncoder) -> None:
        alone = [encoder.encode([text])[0] for text in TEXTS]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda _: encoder.encode(TEXTS), range(8)))
        for representations in together:
            for one, other in zip(alone, representations, strict=True):
                assert_same(one, other)


class TestFingerprint:
    """Part of every key: see the model's and the tokenizer's own tests for what each part depends on."""

    @staticmethod
    def with_config(encoder: PassageEncoder, **values: int) -> PassageEncoder:
        config = replace(encoder.model.deformer_config, **values)
        model = DeFormerForQuestionAnswering(encoder.model.model, config)
        return PassageEncoder(model, PassageTokenizer(encoder.tokenizer.tokenizer, config, model.backbone), "other")

    def test_does_not_depend_on_the_object_or_its_name(self, encoder: PassageEncoder) -> None:
        assert self.with_config(encoder).fingerprint == encoder.fingerprint
        assert len(encoder.fingerprint) == 32

    @pytest.mark.parametrize("values", [{"lower_layers": 1}, {"max_seq_len": 61}, {"doc_stride": 19}], ids=str)
    def test_changes_with_what_states_depend_on(self, encoder: PassageEncoder, values: dict[str, int]) -> None:
        assert self.with_config(encoder, **values).fingerprint != encoder.fingerprint

    def test_does_not_change_with_what_they_do_not(self, encoder: PassageEncoder) -> None:
        # the window keeps its 40 tokens
        other = self.with_config(encoder, max_seq_len=72, max_question_length=30, max_answer_length=5)
        assert other.fingerprint == encoder.fingerprint
        assert_same(other.encode([SENTENCE * 5])[0], encoder.encode([SENTENCE * 5])[0])


def test_manifest_says_what_made_the_states(encoder: PassageEncoder) -> None:
    manifest = encoder.manifest("SQ8")
    assert (manifest.codec, manifest.dimension, manifest.model) == ("SQ8", 32, "tiny")
    assert manifest.fingerprint == encoder.fingerprint
    details = manifest.details
    assert (details["lower_layers"], details["num_layers"], details["model_type"]) == (2, 4, "bert")
    assert (details["window_length"], details["doc_stride"]) == (40, 20)


class TestSampleStates:
    @pytest.mark.parametrize("count", [1, 39, 40, 41, 300])
    def test_as_many_as_asked_for(self, encoder: PassageEncoder, count: int) -> None:
        states = encoder.sample_states(count)
        assert states.shape == (count, 32)
        assert states.dtype == np.float32
        assert np.isfinite(states).all()

    def test_always_the_same(self, encoder: PassageEncoder, tiny_encoder: PassageEncoder) -> None:
        assert np.array_equal(encoder.sample_states(90), encoder.sample_states(90))
        assert np.array_equal(encoder.sample_states(90), tiny_encoder.sample_states(90))
        np.testing.assert_array_equal(encoder.sample_states(90), encoder.sample_states(200)[:90])

    def test_are_as_varied_as_states_of_text(self, encoder: PassageEncoder) -> None:
        """A codec that is trained on them has to fit passages."""
        sample = encoder.sample_states(400)
        text = np.concatenate([representation.states for representation in encoder.encode(TEXTS)])
        assert len(np.unique(sample.round(4), axis=0)) > 350
        assert 0.5 < sample.std() / text.std() < 2
