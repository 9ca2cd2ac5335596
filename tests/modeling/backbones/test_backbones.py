"""Which families there are."""

from __future__ import annotations

import pytest

from haystack_deformer.modeling import BACKBONES, backbone_class
from haystack_deformer.modeling.backbones.bert import BertBackbone


def test_known_families() -> None:
    assert backbone_class("bert") is BertBackbone
    assert all(model_type in family.model_types for model_type, family in BACKBONES.items())


def test_unknown_family_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"'t5'.*Known types: albert, bert,.*docs/adding-a-family\.md"):
        backbone_class("t5")
