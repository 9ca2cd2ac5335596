"""The readers that are compared, each as a user would set it up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from haystack_deformer.benchmark.workload import Workload
from haystack_deformer.document_stores import DeFormerInMemoryDocumentStore
from haystack_deformer.nodes import DeFormerReader

logger = logging.getLogger(__name__)

OURS = "DeFormerReader"
BASELINES = ("FARMReader", "TransformersReader", "full model, ONNX fp32", "full model, ONNX int8")
_RUNTIMES = {
    f"{OURS}, torch fp32": ("torch", "float32"),
    f"{OURS}, torch bf16": ("torch", "bfloat16"),
    f"{OURS}, ONNX fp32": ("onnx", "float32"),
    f"{OURS}, ONNX int8": ("onnx", "int8"),
}


def make_store(workload: Workload, folder: Path, codec: str, **values: Any) -> DeFormerInMemoryDocumentStore:
    """
    A store whose states are on disk.

    :param workload: its documents are written.
    :param folder: for the states.
    :param codec: factory string of faiss.
    :param values: other parameters of the store.
    """
    store = DeFormerInMemoryDocumentStore(
        deformer_model=workload.model,
        lower_layers=workload.lower_layers,
        representation_path=str(folder),
        representation_codec=codec,
        use_gpu=False,
        **values,
    )
    store.write_documents(list(workload.documents))
    return store


def make_readers(
    workload: Workload, store: DeFormerInMemoryDocumentStore | None, folder: Path, only: str = ""
) -> dict[str, Any]:
    """
    All readers that can be had here, by name. What is not installed is named in the log and left out.

    :param workload: its model.
    :param store: holds its documents' states; None: for the readers that are not ours.
    :param folder: for graphs.
    :param only: the name of a reader, or parts of names separated by commas; empty: all.
    :raises ValueError: for a part that is of no reader's name.
    """
    makers = _makers(workload, store, folder)
    # a whole name has a comma in it
    asked = [only] if only in makers else [part.strip() for part in only.split(",")]
    if unknown := [part for part in asked if not any(part in name for name in makers)]:
        msg = f"No reader is called {', '.join(map(repr, unknown))}: give names, or parts, of {', '.join(makers)}."
        raise ValueError(msg)
    made = {name: _make(name, make) for name, make in makers.items() if any(part in name for part in asked)}
    return {name: reader for name, reader in made.items() if reader is not None}


def _make(name: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (ImportError, OSError) as error:
        logger.warning("%s is left out: %s", name, error)
        return None


def _makers(
    workload: Workload, store: DeFormerInMemoryDocumentStore | None, folder: Path
) -> dict[str, Callable[[], Any]]:
    def farm() -> Any:
        from haystack.nodes import FARMReader  # noqa: PLC0415

        return FARMReader(workload.model, use_gpu=False, num_processes=0, progress_bar=False)

    def transformers() -> Any:
        from haystack.nodes import TransformersReader  # noqa: PLC0415

        return TransformersReader(workload.model, tokenizer=workload.model, use_gpu=False)

    def full(dtype: str) -> Any:
        from haystack_deformer.benchmark.full_onnx import FullOnnxReader  # noqa: PLC0415

        if find_spec("onnxruntime") is None:
            msg = "onnxruntime is missing: pip install 'haystack-deformer[onnx]'."
            raise ImportError(msg)
        return FullOnnxReader(workload.model, folder / "full", dtype)

    def ours(backend: str, dtype: str) -> Any:
        return DeFormerReader(document_store=store, backend=backend, dtype=dtype, use_gpu=False, progress_bar=False)

    baselines: list[Callable[[], Any]] = [farm, transformers, partial(full, "float32"), partial(full, "int8")]
    return {
        **dict(zip(BASELINES, baselines, strict=True)),
        **{name: partial(ours, *names) for name, names in _RUNTIMES.items()},
    }
