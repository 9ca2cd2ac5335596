"""A transformer that is cut: loaded and saved as a checkpoint, frozen up to the cut."""

from __future__ import annotations

import os
import shutil
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from haystack_deformer.modeling.backbones import backbone_class
from haystack_deformer.modeling.config import DeFormerConfig
from haystack_deformer.modeling.fingerprint import fingerprint_weights
from haystack_deformer.modeling.loading import load_upstream, resolve_config

M = TypeVar("M", bound="DeFormerPreTrainedModel")


class DeFormerPreTrainedModel(nn.Module):
    """
    The weights of a model and its cut, whatever is computed with them.

    :param model: transformers' question-answering model of a known family; its modules are used as they are.
    :param deformer_config: the cut and the lengths.
    :raises ValueError: where the cut is not below the last layer, or the family is not known.
    """

    def __init__(self, model: PreTrainedModel, deformer_config: DeFormerConfig) -> None:
        super().__init__()
        self.model = model
        self.backbone = backbone_class(model.config.model_type)(model)
        deformer_config.check_layers(len(self.backbone.layers))
        self.deformer_config = deformer_config
        self._lower_frozen = False

    @classmethod
    def from_pretrained(
        cls: type[M],
        name_or_path: str | os.PathLike[str],
        lower_layers: int | None = None,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        attention_dropout: float | None = None,
        hidden_dropout: float | None = None,
        **deformer_values: Any,
    ) -> M:
        """
        Load from any question-answering checkpoint of a known family, an encoder, or a folder of `save_pretrained`.

        ```python
        model = DeFormerForQuestionAnswering.from_pretrained("deepset/bert-base-cased-squad2", lower_layers=9)
        ```

        An encoder without a question-answering head gets a new one, with a warning: it has to be trained. Only
        safetensors are read, never a pickle.

        :param name_or_path: a name on the model hub or a folder.
        :param lower_layers: the cut k, 0 to layers - 1. None: what the folder records; where it records none, three
            quarters of the layers (9 of 12, the paper's choice), with a warning, since the weights know no cut.
        :param revision: branch, tag or commit on the model hub.
        :param token: for a private model of the hub.
        :param attention_dropout: of the attention's weights in training, under whatever name the family has for it;
            None: what the config says. At 0 a fused attention can be used.
        :param hidden_dropout: the same of the embeddings, the states between the layers and the head.
        :param deformer_values: other fields of `DeFormerConfig` to set in place of the recorded ones.
        :raises ValueError: for a family that is not known or a cut that does not fit.
        :raises OSError: where there are no weights as safetensors.
        """
        config, deformer_config = resolve_config(name_or_path, lower_layers, revision=revision, token=token)
        deformer_config = replace(deformer_config, **deformer_values)
        if attention_dropout is not None:
            backbone_class(config.model_type).set_attention_dropout(config, attention_dropout)
        if hidden_dropout is not None:
            backbone_class(config.model_type).set_hidden_dropout(config, hidden_dropout)
        model = load_upstream(name_or_path, config, revision=revision, token=token)
        return cls(model, deformer_config).eval()

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        tokenizer: PreTrainedTokenizerFast | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """
        Write `config.json`, `model.safetensors` and the tokenizer's files.

        The folder is also a plain checkpoint of transformers (which then ignores the cut).

        :param save_directory: made where it does not exist.
        :param tokenizer: written beside the weights; without it the folder does not load by itself.
        :param dtype: of the written weights, `torch.float16` for half the bytes; None: as they are.
        :raises OSError: where the folder cannot be made.
        """
        folder = Path(save_directory)
        # transformers meets a path that is a file with a line in the log, and writes nothing
        folder.mkdir(parents=True, exist_ok=True)
        self.model.config.deformer = self.deformer_config.to_dict()
        state_dict = self.model.state_dict()
        if dtype is not None:
            state_dict = {name: tensor.to(dtype) for name, tensor in state_dict.items()}
        self.model.save_pretrained(folder, state_dict=state_dict, safe_serialization=True)
        for weights in folder.glob("*.safetensors"):
            # safetensors' temporary file is its owner's alone, whatever the umask: a service of another user serves it
            shutil.copymode(folder / "config.json", weights)
        if dtype is not None:
            # transformers writes the dtype that the weights have here
            config = deepcopy(self.model.config)
            config.torch_dtype = dtype
            config.save_pretrained(folder)
        if tokenizer is not None:
            tokenizer.save_pretrained(folder)

    @property
    def config(self) -> PretrainedConfig:
        """The upstream config."""
        return self.model.config

    @property
    def lower_layers(self) -> int:
        """The cut k."""
        return self.deformer_config.lower_layers

    @property
    def num_layers(self) -> int:
        """Layers below and above the cut together."""
        return len(self.backbone.layers)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @cached_property
    def lower_fingerprint(self) -> str:
        """Digest of all that a block's states depend on in this model: read once, so set the weights before."""
        return fingerprint_weights(self.backbone, self.lower_layers)

    def freeze_embeddings(self) -> None:
        """Leave what stands below the first layer out of training, from now on: it loses its gradients."""
        self.backbone.embeddings.requires_grad_(requires_grad=False)

    def freeze_lower(self) -> None:
        """
        Leave the layers up to the cut out of training, from now on.

        They lose their gradients and their dropout, so that the upper layers train on the very states that an index
        holds, and the index stays valid: `lower_fingerprint` does not change.

        :raises ValueError: where layers above the cut have the weights of those below it, as ALBERT's do.
        """
        modules = [module for _, module in self.backbone.lower_modules(self.lower_layers)]
        frozen = {id(parameter) for module in modules for parameter in module.parameters()}
        if any(id(parameter) in frozen for parameter in self.backbone.layers[self.lower_layers :].parameters()):
            msg = (
                f"The layers of a {self.config.model_type} share their weights: those above the cut "
                f"lower_layers={self.lower_layers} cannot be trained alone."
            )
            raise ValueError(msg)
        self._lower_frozen = True
        for module in modules:
            module.requires_grad_(requires_grad=False)
        self.train(self.training)

    def train(self: M, mode: bool = True) -> M:
        """
        Switch between training and evaluation; frozen layers stay in evaluation.

        :param mode: whether to train.
        """
        super().train(mode)
        if self._lower_frozen:
            for _, module in self.backbone.lower_modules(self.lower_layers):
                module.eval()
        return self
