"""A digest of what a passage's states depend on, so that states of other weights are never taken for these."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from haystack_deformer.modeling.backbones import Backbone


def fingerprint_weights(backbone: Backbone, lower_layers: int) -> str:
    """
    Digest the weights below the cut. The upper layers do not count: they can be trained further over the same states.

    :param backbone: holds the weights.
    :param lower_layers: the cut k.
    :return: 32 hexadecimal digits.
    """
    return _digest(backbone, lower_layers, backbone.lower_modules(lower_layers))


def fingerprint_model(backbone: Backbone, lower_layers: int) -> str:
    """
    Digest all weights, those above the cut and the cut as well.

    :param backbone: holds the weights.
    :param lower_layers: the cut k.
    :return: 32 hexadecimal digits.
    """
    return _digest(backbone, lower_layers, [("model", backbone.model)])


def _digest(backbone: Backbone, lower_layers: int, modules: Iterable[tuple[str, nn.Module]]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(canonical_json({"lower_layers": lower_layers, **backbone.fingerprint_config()}))
    digest.update(type(backbone).__name__.encode())
    for name, module in modules:
        for parameter, tensor in sorted(module.state_dict().items()):
            digest.update(f"{name}.{parameter}{tuple(tensor.shape)}".encode())
            # one dtype for all, so that weights stored in fp16 and loaded as fp32 count as what they are
            digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy())
    return digest.hexdigest()


def fingerprint_parts(parts: dict[str, Any]) -> str:
    """
    Digest JSON values.

    :param parts: what was said of the model, the tokenizer and the windows.
    :return: 32 hexadecimal digits.
    """
    return hashlib.blake2b(canonical_json(parts), digest_size=16).hexdigest()


def canonical_json(value: Any) -> bytes:
    """JSON in one form for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
