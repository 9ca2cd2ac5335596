from __future__ import annotations

from pathlib import Path

import pytest

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageEncoder, PassageTokenizer, load_tokenizer
from haystack_deformer.representations import Representations


@pytest.fixture(scope="module")
def encoder(tiny_deformer: Path) -> PassageEncoder:
    model = DeFormerForQuestionAnswering.from_pretrained(tiny_deformer)
    passages = PassageTokenizer(load_tokenizer(tiny_deformer), model.deformer_config, model.backbone)
    return PassageEncoder(model, passages, name="tiny")


@pytest.fixture
def memory(encoder: PassageEncoder) -> Representations:
    return Representations.open(encoder.manifest("SQfp16"), training_sample=encoder.sample_states)
