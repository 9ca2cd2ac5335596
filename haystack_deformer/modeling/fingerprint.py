"""A digest of what a passage's states depend on, so that states of other weights are never taken for these."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from haystack_deformer.modeling.backbones import Backbone

_NOT_OF_THE_MODEL = ("transformers_version", "torch_dtype", "dtype", "deformer", "architectures")
"""Fields of a config that say where weights come from and not what is computed with them, as those with a `_` do."""


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
    Digest a whole model: all weights, the config and the cut.

    :param backbone: holds the weights.
    :param lower_layers: the cut k.
    :return: 32 hexadecimal digits.
    """
    config = backbone.model.config.to_dict()
    # all of it: layers that share their weights show in no tensor how many they are
    rest = {name: repr(value) for name, value in config.items() if name[0] != "_" and name not in _NOT_OF_THE_MODEL}
    weights = _digest(backbone, lower_layers, [("model", backbone.model)])
    return fingerprint_parts({"config": rest, "weights": weights})


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
