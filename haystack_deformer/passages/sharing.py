"""One set of weights for all that a process does with a model."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

import torch

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.modeling.loading import load_upstream, resolve_config, training_command
from haystack_deformer.passages.encoder import PassageEncoder
from haystack_deformer.passages.tokenization import PassageTokenizer, load_tokenizer

logger = logging.getLogger(__name__)

_loaded: WeakValueDictionary[tuple[object, ...], PassageEncoder] = WeakValueDictionary()
_lock = Lock()


def load_encoder(
    name_or_path: str | os.PathLike[str],
    *,
    lower_layers: int | None = None,
    device: torch.device | str | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    backend: str = "torch",
    dtype: str = "float32",
    **deformer_values: Any,
) -> PassageEncoder:
    """
    The model and tokenizer of a checkpoint: loaded once, and shared by all that ask for the same while any holds it.

    :param name_or_path: a name on the model hub or a folder.
    :param lower_layers: the cut k; None: as the checkpoint says.
    :param device: where to run; None: the first GPU where there is one and the backend has a use for it, else the CPU.
    :param revision: branch, tag or commit on the model hub.
    :param token: for a private model of the hub.
    :param backend: what runs the lower layers over passages, "torch" or "onnx".
    :param dtype: of their matrix products: "float32", "bfloat16" (torch) or "int8" (onnx).
    :param deformer_values: other fields of `DeFormerConfig` to set in place of the recorded ones.
    """
    config, recorded = resolve_config(name_or_path, lower_layers, revision=revision, token=token)
    deformer_config = replace(recorded, **deformer_values)
    device = torch.device(device) if device is not None else default_device(backend)
    if device.type == "cuda" and not torch.cuda.is_available():
        msg = f"This PyTorch finds no GPU to run on {str(device)!r}: leave devices and use_gpu out, or take 'cpu'."
        raise ValueError(msg)
    if device.type == "cuda" and device.index is not None and device.index >= torch.cuda.device_count():
        msg = f"There is no {str(device)!r}: this machine has {torch.cuda.device_count()} GPUs, from 'cuda:0' on."
        raise ValueError(msg)
    if device.type == "cuda" and device.index is None:
        # "cuda" and "cuda:0" are one, and share one set of weights
        device = torch.device("cuda", torch.cuda.current_device())
    # the resolved values and not the arguments: asking for the recorded cut is asking for the same weights
    key = (_identity(name_or_path), revision, str(device), deformer_config, backend, dtype)
    with _lock:
        encoder = _loaded.get(key)
        if encoder is None:
            trained_for = (getattr(config, "deformer", None) or {}).get("lower_layers")
            given = lower_layers not in (None, trained_for)
            if given and not deformer_config.lower_layers:
                logger.warning(
                    "%s was not trained for lower_layers=0, full attention over blocks whose positions each begin at "
                    "0: its answers are not those of the plain model. Train it with `%s`.",
                    name_or_path,
                    training_command(name_or_path, 0),
                )
            elif given:
                logger.warning(
                    "%s was not trained for the cut lower_layers=%d: its answers will be worse than the full model's. "
                    "Train it with `%s`.",
                    name_or_path,
                    deformer_config.lower_layers,
                    training_command(name_or_path, deformer_config.lower_layers),
                )
            upstream = load_upstream(name_or_path, config, revision=revision, token=token)
            model = DeFormerForQuestionAnswering(upstream, deformer_config).eval().to(device)
            tokenizer = load_tokenizer(name_or_path, revision=revision, token=token)
            passages = PassageTokenizer(tokenizer, deformer_config, model.backbone)
            encoder = _loaded[key] = PassageEncoder(
                model, passages, name=str(name_or_path), backend=backend, dtype=dtype
            )
        return encoder


def default_device(*backends: str) -> torch.device:
    """
    The first GPU where there is one and the backends run on it, else the CPU.

    :param backends: what is to run one model.
    """
    return torch.device("cuda:0" if torch.cuda.is_available() and "onnx" not in backends else "cpu")


def _identity(name_or_path: str | os.PathLike[str]) -> tuple[object, ...]:
    """What tells one checkpoint from another; a folder whose weights or tokenizer were written anew is another."""
    folder = Path(name_or_path)
    if not folder.is_dir():
        return (str(name_or_path),)
    files = sorted(path for path in folder.iterdir() if path.suffix in {".json", ".safetensors", ".txt"})
    return str(folder.resolve()), *((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
