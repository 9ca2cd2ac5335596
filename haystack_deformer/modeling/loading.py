"""From a name or a folder to an upstream model, with an error that a user can act on where that fails."""

from __future__ import annotations

import copy
import logging
import os
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForQuestionAnswering, PretrainedConfig, PreTrainedModel

from haystack_deformer.modeling.backbones import Backbone, backbone_class
from haystack_deformer.modeling.config import DeFormerConfig

logger = logging.getLogger(__name__)

_SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def resolve_config(
    name_or_path: str | os.PathLike[str],
    lower_layers: int | None = None,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
) -> tuple[PretrainedConfig, DeFormerConfig]:
    """
    The upstream config of a checkpoint and the cut to make in it. Reads no weights.

    :param name_or_path: a name on the model hub or a folder.
    :param lower_layers: the cut k; None: the recorded one, else three quarters of the layers.
    :param revision: branch, tag or commit on the model hub.
    :param token: for a private model of the hub.
    :raises ValueError: for a family that is not known, a variant that cannot be cut, or a cut that does not fit.
    :raises OSError: where there is no config.
    """
    _check_folder(name_or_path)
    # the raw JSON first: AutoConfig meets a type that transformers does not know with a KeyError of its own
    try:
        raw, _ = PretrainedConfig.get_config_dict(name_or_path, revision=revision, token=token)
    except OSError as error:
        msg = f"{str(name_or_path)!r} is neither a folder nor a model that the model hub or its cache gives: {error}"
        raise OSError(msg) from error
    backbone = backbone_class(str(raw.get("model_type")))
    config = AutoConfig.from_pretrained(name_or_path, revision=revision, token=token)
    # before any weights are fetched
    backbone.check(config)
    recorded = DeFormerConfig.from_dict(config.deformer) if getattr(config, "deformer", None) else None
    layers = int(config.num_hidden_layers)
    if lower_layers is None and recorded is None:
        lower_layers = layers * 3 // 4
        logger.warning(
            "%s records no cut: lower_layers=%d of %d is taken. Its weights were never trained for a cut, so answers "
            "will be worse than the full model's; train it with `%s`.",
            name_or_path,
            lower_layers,
            layers,
            training_command(name_or_path, lower_layers),
        )
    if recorded is None:
        deformer_config = DeFormerConfig(lower_layers=lower_layers or 0)
    elif lower_layers is None:
        deformer_config = recorded
    else:
        deformer_config = replace(recorded, lower_layers=lower_layers)
    deformer_config.check_layers(layers)
    return config, deformer_config


def training_command(name_or_path: str | os.PathLike[str], lower_layers: int) -> str:
    """
    What trains a model for a cut, for messages that advise it.

    :param name_or_path: of the model.
    :param lower_layers: the cut.
    :return: to be run in a shell, with a data file and a folder of the user's own.
    """
    model = quote(os.fspath(name_or_path))
    return f"haystack-deformer train --model {model} --train SQUAD.json --lower-layers {lower_layers} --output FOLDER"


def _check_folder(name_or_path: str | os.PathLike[str]) -> None:
    """Say what is wrong with a local folder before transformers takes it for a name on the hub."""
    path = Path(name_or_path)
    looks_like_path = path.is_absolute() or str(name_or_path).startswith((".", "~")) or path.exists()
    if not looks_like_path:
        return
    if not path.is_dir():
        msg = f"No model at {str(path)!r}: a folder with config.json, model.safetensors and a tokenizer is needed."
        raise OSError(msg)
    if not (path / "config.json").is_file():
        msg = f"The folder {str(path)!r} has no config.json: it is not a model of transformers."
        raise OSError(msg)


def check_weights(name_or_path: str | os.PathLike[str]) -> None:
    """
    Say what is wrong with the weights in a local folder; those of the model hub are looked at when they are fetched.

    :param name_or_path: a name on the model hub or a folder.
    :raises OSError: where a folder holds no weights as safetensors, or such that may not be read.
    """
    path = Path(name_or_path)
    if not path.is_dir():
        return
    names = {entry.name for entry in path.iterdir()}
    for name in names.intersection(_SAFETENSORS):
        # safetensors says of such a file that it is not there
        if not os.access(path / name, os.R_OK):
            msg = f"This user may not read {str(path / name)!r}: give read permission, for instance by chmod a+r."
            raise OSError(msg)
    if names.isdisjoint(_SAFETENSORS):
        if not names.isdisjoint(_PICKLES):
            msg = (
                f"The folder {str(path)!r} has weights as a pickle only, which is never loaded here. Convert them once "
                "in an environment you trust: AutoModelForQuestionAnswering.from_pretrained(folder)"
                ".save_pretrained(folder, safe_serialization=True)."
            )
            raise OSError(msg)
        msg = f"The folder {str(path)!r} has no weights: model.safetensors is missing."
        raise OSError(msg)


def load_upstream(
    name_or_path: str | os.PathLike[str],
    config: PretrainedConfig,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
) -> PreTrainedModel:
    """
    Load transformers' question-answering model in fp32.

    :param name_or_path: a name on the model hub or a folder.
    :param config: the upstream config.
    :param revision: branch, tag or commit on the model hub.
    :param token: for a private model of the hub.
    :raises OSError: where the weights cannot be read.
    :raises ValueError: where the weights below the head do not fit the config.
    """
    check_weights(name_or_path)
    upstream, arguments = _upstream_class(config)
    try:
        model, info = upstream.from_pretrained(
            name_or_path,
            config=config,
            revision=revision,
            token=token,
            use_safetensors=True,
            torch_dtype=torch.float32,
            output_loading_info=True,
            **arguments,
        )
    except SafetensorError as error:
        msg = (
            f"The weights of {str(name_or_path)!r} cannot be read ({error}): the file is cut short, or a pointer of "
            "Git LFS stands in its place. Fetch it anew."
        )
        raise OSError(msg) from error
    except RuntimeError as error:
        # transformers' word for tensors of other shapes
        if "size mismatch" not in str(error):
            raise
        msg = f"The weights of {str(name_or_path)!r} have other shapes than its config.json says: {error}"
        raise ValueError(msg) from error
    missing = sorted(info["missing_keys"])
    # by the head's own names: some releases of transformers name an encoder's missing tensors without its prefix
    own = {name for name in model.state_dict() if not name.startswith(f"{model.base_model_prefix}.")}
    head = [name for name in missing if name in own]
    lost = [name for name in missing if name not in own]
    if lost:
        msg = f"The weights of {str(name_or_path)!r} lack {len(lost)} tensors that its config asks for: {lost[:5]}."
        raise ValueError(msg)
    if head:
        logger.warning(
            "%s has no question-answering head: a new one was made (%s). Its answers are random until it is trained "
            "with `haystack-deformer train`.",
            name_or_path,
            ", ".join(head),
        )
    return model


def new_upstream(config: PretrainedConfig) -> PreTrainedModel:
    """
    Make transformers' question-answering model with weights as training begins with them. Reads none.

    :param config: the upstream config.
    """
    upstream, arguments = _upstream_class(config)
    # a checkpoint's own dtype is of no matter to weights that are made: those in fp16 would not meet states in fp32
    config = copy.copy(config)
    config.torch_dtype = torch.float32
    # transformers' own classes take a config, those of the Auto kind have a method for it
    return (upstream.from_config if upstream is AutoModelForQuestionAnswering else upstream)(config, **arguments)


def _upstream_class(config: PretrainedConfig) -> tuple[Any, dict[str, str]]:
    """The class of a model with a head for spans, and what it is given beside its config."""
    # a span has two ends; the config of a classifier's encoder counts its classes, and the head would be as wide
    config.num_labels = 2
    backbone: type[Backbone] = backbone_class(config.model_type)
    chosen = backbone.attention_implementation
    return backbone.upstream_class(config), {} if chosen is None else {"attn_implementation": chosen}
