"""
The mean of several models' weights, of runs that went on from each other.

Sources: Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without
increasing inference time", ICML 2022; of a run and what it began with, Wortsman et al., "Robust fine-tuning of
zero-shot models" (WiSE-FT), CVPR 2022.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from transformers import AutoConfig, PreTrainedTokenizerFast

from haystack_deformer.files import write_atomically
from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageTokenizer, load_tokenizer
from haystack_deformer.training.saving import save_trained
from haystack_deformer.training.settings_file import PARTS_FILE

StrPath: TypeAlias = str | os.PathLike[str]


def average(
    models: Sequence[StrPath],
    output: StrPath,
    *,
    weights: Sequence[float] | None = None,
    dtype: torch.dtype | None = None,
) -> DeFormerForQuestionAnswering:
    """
    Save the mean of models that began with the same weights, for instance of a run and what it began with.

    What a run learnt of a narrow set costs some of what was known before; the mean keeps much of both. Of models that
    did not begin together a mean knows nothing: `evaluate` it.

    :param models: folders or names, two or more, of one architecture, cut, layout and vocabulary.
    :param output: folder for the mean, with the tokenizer and the lengths of the last of them.
    :param weights: shares of each, in any unit; None: equal ones.
    :param dtype: of the written weights; None: fp32.
    :return: the mean, in evaluation mode.
    :raises ValueError: for fewer than two models, shares that are no such, an output that is one of the models, or
        models that do not fit each other; names what differs.
    :raises OSError: where there is no such model.
    """
    shares = _shares(models, weights)
    for folder in models:
        if getattr(AutoConfig.from_pretrained(folder), "deformer", None) is None:
            msg = (
                f"{str(folder)!r} records no cut, and a mean is of models that were trained for one: "
                "`haystack-deformer train` it, with lower_layers=0 for full attention in every layer."
            )
            raise ValueError(msg)
    if Path(output).resolve() in {Path(folder).resolve() for folder in models}:
        msg = f"{str(output)!r} is one of the models, and the mean would take its place: give another folder."
        raise ValueError(msg)
    tokenizer = load_tokenizer(models[-1])
    mean = DeFormerForQuestionAnswering.from_pretrained(models[-1])
    traits = _traits(mean, tokenizer)
    summed = {name: tensor * shares[-1] for name, tensor in mean.state_dict().items() if tensor.is_floating_point()}
    for folder, share in zip(models[:-1], shares, strict=False):
        # one more at a time: models may be large
        other = DeFormerForQuestionAnswering.from_pretrained(folder)
        _check_fit(folder, _traits(other, load_tokenizer(folder)), models[-1], traits)
        states = other.state_dict()
        for name, tensor in summed.items():
            tensor.add_(states[name], alpha=share)
    # tensors of whole numbers, as of positions, stay the last one's
    mean.load_state_dict({**mean.state_dict(), **summed})
    # settings that an earlier run left in the folder are not the mean's
    save_trained(mean, tokenizer, output, None, dtype)
    parts = {"models": [str(folder) for folder in models], "weights": shares}
    write_atomically(Path(output) / PARTS_FILE, (json.dumps(parts, indent=2) + "\n").encode())
    return mean


def _shares(models: Sequence[StrPath], weights: Sequence[float] | None) -> list[float]:
    if len(models) < 2:
        msg = f"A mean is of two models or more, got {len(models)}."
        raise ValueError(msg)
    weights = [1.0] * len(models) if weights is None else list(weights)
    if len(weights) != len(models):
        msg = f"{len(weights)} weights for {len(models)} models: give one for each, or none."
        raise ValueError(msg)
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        msg = f"Weights are shares of 0 or more and not all 0, got {weights}."
        raise ValueError(msg)
    return [weight / sum(weights) for weight in weights]


def _traits(model: DeFormerForQuestionAnswering, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What models have to share, for their mean to be a model."""
    passages = PassageTokenizer(tokenizer, model.deformer_config, model.backbone)
    return {
        "family": model.config.model_type,
        "cut (lower_layers)": model.lower_layers,
        "shapes of the weights": {name: tensor.shape for name, tensor in model.state_dict().items()},
        "number of layers": model.num_layers,
        # what weights of one shape mean: the attention heads, the activation
        "config": model.backbone.fingerprint_config(),
        "layout of special tokens": passages.layout,
        "tokenizer": passages.fingerprint["tokenizer"],
    }


def _check_fit(folder: StrPath, traits: dict[str, Any], last_folder: StrPath, last: dict[str, Any]) -> None:
    for what, theirs in traits.items():
        if theirs != last[what]:
            # shapes are hundreds, and a digest tells nobody anything
            values = "" if what in ("shapes of the weights", "tokenizer") else f": {theirs!r} against {last[what]!r}"
            msg = f"The {what} of {str(folder)!r} and {str(last_folder)!r} differ{values}. Their mean is no model."
            raise ValueError(msg)
