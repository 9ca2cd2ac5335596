from __future__ import annotations

import pytest
from transformers import PreTrainedModel

from tests.modeling.backbones.families import FAMILIES, Family


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


@pytest.fixture(scope="module")
def upstream(family: Family) -> PreTrainedModel:
    return family.model()
