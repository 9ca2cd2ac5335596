"""What every DeFormer store is given beside its parent's parameters, checked before anything is made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import PretrainedConfig

from haystack_deformer.modeling import DeFormerConfig, backbone_class
from haystack_deformer.modeling.loading import check_weights, resolve_config
from haystack_deformer.parameters import absolute_folder, as_int, as_optional_int, as_optional_text, as_token
from haystack_deformer.passages import PassageTokenizer, load_tokenizer
from haystack_deformer.representations import RepresentationCodec, RepresentationFolder
from haystack_deformer.runtime import check_runtime

REPRESENTATION_PARAMETERS = (
    "deformer_model",
    "lower_layers",
    "representation_path",
    "representation_codec",
    "representation_batch_size",
    "representation_backend",
    "representation_dtype",
    "representation_model_version",
    "representation_use_auth_token",
    "representation_max_seq_len",
    "representation_doc_stride",
    "representation_max_query_length",
)


def representation_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """
    Those of a store's parameters that are not its parent's, as `_init_representations` takes them.

    :param values: all, by name: `locals()` at the top of an `__init__`, which has to name each of them for YAML.
    """
    return {name: values[name] for name in REPRESENTATION_PARAMETERS}


@dataclass(frozen=True)
class RepresentationSettings:
    """
    What a store needs to make states and to keep them.

    :param model: name or path.
    :param lower_layers: the cut k.
    :param path: folder; None: memory.
    :param codec: factory string of faiss.
    :param batch_size: windows that go through the lower layers at once.
    :param backend: what runs them.
    :param dtype: of their matrix products.
    :param revision: of the model on the hub.
    :param token: for the hub.
    :param lengths: fields of `DeFormerConfig` in place of what the model records.
    """

    model: str
    lower_layers: int
    path: Path | None
    codec: str
    batch_size: int
    backend: str
    dtype: str
    revision: str | None = None
    token: str | bool | None = field(default=None, repr=False)
    lengths: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def checked(
        cls,
        deformer_model: str | os.PathLike[str] | None,
        lower_layers: int | str | None = None,
        representation_path: str | os.PathLike[str] | None = None,
        representation_codec: str = "SQfp16",
        representation_batch_size: int | str = 32,
        representation_backend: str = "torch",
        representation_dtype: str = "float32",
        representation_model_version: str | None = None,
        representation_use_auth_token: str | bool | None = None,
        representation_max_seq_len: int | str | None = None,
        representation_doc_stride: int | str | None = None,
        representation_max_query_length: int | str | None = None,
    ) -> RepresentationSettings:
        """
        From what a user gave, refused here where that can be told without loading the model.

        :param deformer_model: name or path of the model whose states are stored; it is loaded at the first need.
        :param lower_layers: the cut k; None: as the model records.
        :param representation_path: folder for the states; None keeps them in memory.
        :param representation_codec: factory string of faiss for how they are compressed.
        :param representation_batch_size: windows that go through the lower layers at once.
        :param representation_backend: what runs them, "torch" or "onnx".
        :param representation_dtype: of their matrix products: "float32", "bfloat16" (torch) or "int8" (onnx).
        :param representation_model_version: branch, tag or commit on the model hub.
        :param representation_use_auth_token: token for a private model of the hub; True: the one stored on the machine.
        :param representation_max_seq_len: tokens of a question and a window together; None: as the model records.
        :param representation_doc_stride: tokens between the starts of two windows; None: as the model records.
        :param representation_max_query_length: tokens of a question without its special tokens, which the windows leave
            room for; None: as the model records.
        :raises ValueError: for a value that cannot be used.
        :raises OSError: where there is no such model, or it has no weights.
        :raises RepresentationStoreError: where the path is a file.
        """
        if not deformer_model:
            msg = (
                "deformer_model is missing: give the name or the path of the model whose states are to be stored, the "
                "same that DeFormerReader reads with."
            )
            raise ValueError(msg)
        cut = as_optional_int("lower_layers", lower_layers, least=0)
        batch_size = as_int("representation_batch_size", representation_batch_size)
        check_runtime(representation_backend, representation_dtype)
        revision = as_optional_text("representation_model_version", representation_model_version)
        token = as_token("representation_use_auth_token", representation_use_auth_token)
        lengths = {
            "max_seq_len": as_optional_int("representation_max_seq_len", representation_max_seq_len),
            "doc_stride": as_optional_int("representation_doc_stride", representation_doc_stride),
            "max_question_length": as_optional_int("representation_max_query_length", representation_max_query_length),
        }
        config, deformer_config = resolve_config(deformer_model, cut, revision=revision, token=token)
        check_weights(deformer_model)
        RepresentationCodec(representation_codec, config.hidden_size)
        # an environment variable has the empty text for None; absolute now: the store is opened at the first use, when
        # the working directory may be another
        path = Path(representation_path).expanduser().absolute() if representation_path else None
        if path is not None:
            RepresentationFolder(path)
        settings = cls(
            model=absolute_folder(deformer_model),
            lower_layers=deformer_config.lower_layers,
            path=path,
            codec=representation_codec,
            batch_size=batch_size,
            backend=representation_backend,
            dtype=representation_dtype,
            revision=revision,
            token=token,
            lengths={name: length for name, length in lengths.items() if length is not None},
        )
        settings._check_lengths(config, deformer_config)
        return settings

    @property
    def encoder_parameters(self) -> dict[str, Any]:
        """Which weights and windows `load_encoder` is to give, beside the model's name."""
        return {"lower_layers": self.lower_layers, "revision": self.revision, "token": self.token, **self.lengths}

    def _check_lengths(self, config: PretrainedConfig, recorded: DeFormerConfig) -> None:
        # those that the model records were checked when it was made, and the tokenizer takes a moment to load
        if not self.lengths:
            return
        tokenizer = load_tokenizer(self.model, revision=self.revision, token=self.token)
        try:
            PassageTokenizer(tokenizer, replace(recorded, **self.lengths), backbone_class(config.model_type))
        except ValueError as error:
            msg = (
                f"{error} The store is given these lengths as representation_max_seq_len, representation_doc_stride "
                "and representation_max_query_length (the model's max_question_length)."
            )
            raise ValueError(msg) from error
