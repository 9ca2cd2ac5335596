"""From a folder to answers, for every kind of tokenizer with a model of its family: stored states or computed ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from haystack_deformer.inference import PassageReader
from haystack_deformer.modeling import DeFormerConfig, DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageEncoder, load_encoder
from haystack_deformer.representations import Representations
from tests.modeling.backbones.families import FAMILIES
from tests.passages.tiny_tokenizers import TOKENIZERS

TEXTS = [
    "Paris is the capital of France.",
    "  the city of Berlin,\u00a0the capital of Germany; \U0001f600 Paris, again the city of Paris. " * 3,
    "",
    "Python is a reader of rivers.",
    "\u4e2d\u6587 Pa\u0301ris <sep> </s> [SEP] city ",
]


@pytest.fixture(params=[name for name in TOKENIZERS if name in FAMILIES])
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> PassageEncoder:
    tokenizer = TOKENIZERS[request.param](tmp_path)
    config = FAMILIES[request.param].config()
    config.vocab_size = len(tokenizer)
    model = DeFormerForQuestionAnswering(
        FAMILIES[request.param].model(config=config), DeFormerConfig(2, 60, 16, max_question_length=14)
    )
    folder = tmp_path / "model"
    model.save_pretrained(folder, tokenizer)
    return load_encoder(str(folder))


def test_answers_from_stored_states_are_those_of_computed_ones(encoder: PassageEncoder) -> None:
    representations = Representations.open(encoder.manifest("Flat"), training_sample=encoder.sample_states)
    made = encoder.encode(TEXTS)
    representations.put({representations.key(text): one for text, one in zip(TEXTS, made, strict=True)})
    question = "Which city is the capital?"
    stored = PassageReader(encoder, representations, top_k_per_window=5).read(question, TEXTS)
    computed = PassageReader(encoder, top_k_per_window=5).read(question, TEXTS)
    assert (stored.found, computed.found) == (len(TEXTS), 0)
    for text, ours, theirs in zip(TEXTS, stored.spans, computed.spans, strict=True):
        assert bool(ours) == bool(text)
        for one, other in zip(ours, theirs, strict=True):
            assert (one.start, one.end) == (other.start, other.end)
            assert one.margin == pytest.approx(other.margin, abs=1e-4)
            answer = text[one.start : one.end]
            assert answer
            assert answer == answer.strip()
