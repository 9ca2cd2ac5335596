"""The tiny BERT at each of its cuts."""

from __future__ import annotations

from pathlib import Path

import pytest

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from tests.modeling.tiny import LAYERS, load


@pytest.fixture(scope="module", params=range(LAYERS))
def model(request: pytest.FixtureRequest, tiny_bert: Path) -> DeFormerForQuestionAnswering:
    return load(tiny_bert, request.param)
