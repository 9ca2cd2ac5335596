"""From the names of a backend and a dtype to what runs a model."""

from __future__ import annotations

import os
from pathlib import Path

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.runtime.base import Runtime, check_runtime
from haystack_deformer.runtime.torch_runtime import TorchRuntime


def load_runtime(
    model: DeFormerForQuestionAnswering,
    name_or_path: str | os.PathLike[str] = "",
    *,
    backend: str = "torch",
    dtype: str = "float32",
) -> Runtime:
    """
    What runs a model.

    :param model: in evaluation mode, on the device to run on.
    :param name_or_path: where it was loaded from: graphs are kept beside its weights, or in the user's cache where
        that is no folder that can be written. Those that lie beside weights are used in either case.
    :param backend: "torch" or "onnx".
    :param dtype: "float32", "bfloat16" (torch) or "int8" (onnx).
    :raises ValueError: for a backend or dtype that there is not.
    :raises ImportError: where the backend is not installed.
    """
    check_runtime(backend, dtype)
    if backend == "torch":
        return TorchRuntime(model, dtype)
    from haystack_deformer.runtime.onnx_runtime import OnnxRuntime  # noqa: PLC0415  # of the extra [onnx]

    return OnnxRuntime(model, dtype, *_graph_folders(name_or_path))


def _graph_folders(name_or_path: str | os.PathLike[str]) -> list[Path]:
    """Where graphs are made, and where they may have been made before."""
    folder = Path(name_or_path)
    graphs = folder / "onnx"
    beside = bool(str(name_or_path)) and folder.is_dir()
    if beside and os.access(graphs if graphs.exists() else folder, os.W_OK):
        return [graphs]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "haystack-deformer" / "onnx"
    # an image has them made when it is built, and its process may not write there
    return [cache, graphs] if beside else [cache]
