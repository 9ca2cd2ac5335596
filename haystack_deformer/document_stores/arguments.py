"""What every DeFormer store is given beside its parent's parameters, checked before anything is made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from haystack_deformer.modeling.loading import resolve_config
from haystack_deformer.parameters import as_int, as_optional_int
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
)


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
    """

    model: str
    lower_layers: int
    path: Path | None
    codec: str
    batch_size: int
    backend: str
    dtype: str

    @classmethod
    def checked(
        cls,
        deformer_model: str | os.PathLike[str] | None,
        lower_layers: int | str | None,
        representation_path: str | os.PathLike[str] | None,
        representation_codec: str,
        representation_batch_size: int | str,
        representation_backend: str,
        representation_dtype: str,
    ) -> RepresentationSettings:
        """
        From what a user gave, refused here where that can be told without loading the model.

        :param deformer_model: name or path.
        :param lower_layers: the cut k; None: as the model records.
        :param representation_path: folder; None: memory.
        :param representation_codec: factory string of faiss.
        :param representation_batch_size: windows that go through the lower layers at once.
        :param representation_backend: what runs them, "torch" or "onnx".
        :param representation_dtype: of their matrix products: "float32", "bfloat16" (torch) or "int8" (onnx).
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
        config, deformer_config = resolve_config(deformer_model, cut)
        if deformer_config.lower_layers >= config.num_hidden_layers:
            msg = (
                f"lower_layers={deformer_config.lower_layers} does not fit {str(deformer_model)!r}, a model of "
                f"{config.num_hidden_layers} layers: give 0 (no cut) to {config.num_hidden_layers - 1}."
            )
            raise ValueError(msg)
        RepresentationCodec(representation_codec, config.hidden_size)
        # absolute now: the store is opened at the first use, when the working directory may be another
        path = None if representation_path is None else Path(representation_path).expanduser().absolute()
        if path is not None:
            RepresentationFolder(path)
        return cls(
            str(deformer_model),
            deformer_config.lower_layers,
            path,
            representation_codec,
            batch_size,
            representation_backend,
            representation_dtype,
        )
