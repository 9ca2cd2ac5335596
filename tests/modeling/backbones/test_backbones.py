"""Which families there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AlbertConfig, AlbertForQuestionAnswering

from haystack_deformer.modeling import BACKBONES, Block, DeFormerForQuestionAnswering, TokenContext, backbone_class
from haystack_deformer.modeling.backbones.bert import BertBackbone
from tests.modeling.backbones.families import FAMILIES, TINY


def test_known_families() -> None:
    assert backbone_class("bert") is BertBackbone
    assert all(model_type in family.model_types for model_type, family in BACKBONES.items())


def test_unknown_family_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"'t5'.*Known types: albert, bert,.*docs/adding-a-family\.md"):
        backbone_class("t5")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("albert", {"position_embedding_type": "relative_key"}),
        ("bert", {"position_embedding_type": "relative_key_query"}),
        ("electra", {"position_embedding_type": "relative_key"}),
        ("roberta", {"position_embedding_type": "relative_key"}),
        ("xlnet", {"attn_type": "uni"}),
    ],
    ids=str,
)
def test_variant_is_refused_before_its_weights_are_read(name: str, values: dict[str, Any], tmp_path: Path) -> None:
    config = FAMILIES[name].config()
    for field, value in values.items():
        setattr(config, field, value)
    config.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights at all")
    (field,) = values
    with pytest.raises(ValueError, match=f"{field}=.*{values[field]}"):
        DeFormerForQuestionAnswering.from_pretrained(tmp_path, 1)


def test_attention_without_a_mask_of_blocks_is_refused() -> None:
    config = FAMILIES["distilbert"].config()
    config._attn_implementation = "eager"
    with pytest.raises(ValueError, match=r"attn_implementation='eager'.*'sdpa'"):
        backbone_class("distilbert")(FAMILIES["distilbert"].model(config=config))


def test_groups_that_layers_do_not_share_evenly() -> None:
    """Upstream's arithmetic is in floating point."""
    config = AlbertConfig(**TINY, embedding_size=16)
    config.num_hidden_layers, config.num_hidden_groups = 18, 14
    torch.manual_seed(0)
    model = AlbertForQuestionAnswering(config).eval()
    backbone = backbone_class("albert")(model)
    ids = torch.randint(7, 90, (1, 12))
    context = TokenContext(None, torch.arange(12)[None], torch.zeros((1, 12), dtype=torch.int64))
    with torch.no_grad():
        states = backbone.run_layers(backbone.embed(ids, Block.QUESTION), 0, 18, context)
        torch.testing.assert_close(states, model.albert(ids).last_hidden_state, atol=1e-5, rtol=0)
