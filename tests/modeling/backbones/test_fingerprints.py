"""Every family's fingerprint: it changes with all that a passage's states depend on, and with nothing else."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from tests.modeling.backbones.families import Family, cut
from tests.modeling.tiny import random_ids


def spoil(tensor: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return tensor + 0.5 * torch.randn(tensor.shape, generator=generator)


def other_values(name: str, value: Any) -> list[Any]:
    """Values that a field of a config may have in place of its own."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, 3]
    if isinstance(value, float):
        return [2 * value + 0.5]
    if isinstance(value, str):
        return ["relu", "tanh"] if "act" in name else []
    if isinstance(value, list):
        return [value[:-1]] if value else []
    return []


def states_of(model: DeFormerForQuestionAnswering, ids: Tensor) -> Tensor:
    return torch.cat([model.encode_passages(ids), model.encode_question(ids)])


def changed_model(
    family: Family, upstream: PreTrainedModel, name: str, value: Any
) -> DeFormerForQuestionAnswering | None:
    """The same weights under another config; None where they do not fit it, or it is refused."""
    config: PretrainedConfig = copy.deepcopy(upstream.config)
    try:
        setattr(config, name, value)
        changed = family.model(config=config)
        changed.load_state_dict(upstream.state_dict())
        model = cut(changed, 2)
        model.encode_passages(random_ids(20)[0])
    except Exception:  # noqa: BLE001  # upstream's refusals have no common type
        return None
    return model


@torch.inference_mode()
def test_fingerprint_changes_with_every_weight_that_states_depend_on(family: Family) -> None:
    """Each tensor is spoilt: where the states change the fingerprint does, and the unlisted change nothing."""
    model = cut(family.model(), 2)
    (ids,) = random_ids(20)
    states, fingerprint = states_of(model, ids), cut(model.model, 2).lower_fingerprint
    listed = {id(tensor) for _, module in model.backbone.lower_modules(2) for tensor in module.parameters()}
    changed = set()
    for name, parameter in model.model.named_parameters():
        before = parameter.clone()
        parameter.copy_(spoil(parameter))
        same_states = torch.equal(states_of(model, ids), states)
        same_fingerprint = cut(model.model, 2).lower_fingerprint == fingerprint
        parameter.copy_(before)
        assert same_states or not same_fingerprint, name
        assert same_fingerprint == (id(parameter) not in listed), name
        if not same_states:
            changed.add(name)
    assert len(changed) > 10
    assert len(changed) < len(list(model.model.parameters()))


@torch.inference_mode()
def test_fingerprint_changes_with_every_field_that_states_depend_on(family: Family) -> None:
    upstream = family.model()
    (ids,) = random_ids(20)
    model = cut(upstream, 2)
    states, fingerprint = states_of(model, ids), model.lower_fingerprint
    depends = set()
    # of generation and the like; of these, padding alone can be an embedding or a position
    general = PretrainedConfig().to_dict().keys() - {"pad_token_id"}
    for name, value in upstream.config.to_dict().items():
        if name in general:
            continue
        for other in other_values(name, value):
            changed = changed_model(family, upstream, name, other)
            # a sum in another order is no other state
            if changed is None or torch.allclose(states_of(changed, ids), states, atol=1e-5):
                continue
            assert changed.lower_fingerprint != fingerprint, f"{name}: {value!r} to {other!r}"
            depends.add(name)
    assert depends
