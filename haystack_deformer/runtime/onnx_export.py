"""The model's halves as ONNX graphs, made once from the very modules that PyTorch runs, and kept on disk."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from packaging.version import Version
from torch import Tensor, nn

from haystack_deformer.files import remove_forsaken
from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.modeling.fingerprint import fingerprint_model

logger = logging.getLogger(__name__)

_OPSET = 17
_FORMAT = 3
"""Raised where graphs of an earlier version of this file are not to be used any more."""

_SCRATCH = ".making-"
_FORSAKEN_SECONDS = 3_600
"""After which a folder is no living process' any more: an export takes a minute."""


class _Half(nn.Module):
    """A method of the model as a module of its own, for the exporter calls `forward` alone."""

    def __init__(self, model: DeFormerForQuestionAnswering, method: str) -> None:
        super().__init__()
        self.model = model
        self.method = method

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        made = getattr(self.model, self.method)(*inputs)
        return made if isinstance(made, Tensor) else (made.start_logits, made.end_logits)


@dataclass(frozen=True)
class _Graph:
    """A half of the model, with every sequence length left open. One window at a time: no mask, no padding."""

    method: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def example(self, model: DeFormerForQuestionAnswering) -> tuple[Tensor, ...]:
        if self.inputs == ("input_ids",):
            return (torch.ones((1, 8), dtype=torch.int64),)
        return tuple(torch.zeros((1, length, model.backbone.hidden_size)) for length in (7, 9))


GRAPHS = {
    "question": _Graph("encode_question", ("input_ids",), ("states",)),
    "passage": _Graph("encode_passages", ("input_ids",), ("states",)),
    "read": _Graph("read", ("question", "passage"), ("start_logits", "end_logits")),
}


def graph_folder_name(model: DeFormerForQuestionAnswering) -> str:
    """
    The sub-folder for the graphs of a model's weights, by a digest of all of them.

    :param model: whose weights they are.
    """
    return f"{fingerprint_model(model.backbone, model.lower_layers)}-{_FORMAT}"


def graph_path(folder: Path, name: str, dtype: str) -> Path:
    """
    Where a graph lies if it was made.

    :param folder: of the model's weights.
    :param name: "question", "passage" or "read".
    :param dtype: "float32" or "int8".
    """
    return folder / f"{name}-{variant(dtype)}.onnx"


def graph_file(model: DeFormerForQuestionAnswering, name: str, dtype: str, folder: Path) -> Path:
    """
    The file of a graph, made where it is missing.

    :param model: on the CPU.
    :param name: "question", "passage" or "read".
    :param dtype: "float32" or "int8".
    :param folder: of the model's weights.
    :raises ValueError: for a graph that does not fit into one file.
    """
    path = graph_path(folder, name, dtype)
    if path.is_file():
        return path
    logger.info("Exporting %s to %s, once.", name, path)
    with scratch_beside(path) as scratch:
        made = scratch / "graph.onnx"
        graph = GRAPHS[name]
        export(_Half(model, graph.method).eval(), graph.example(model), graph.inputs, graph.outputs, made)
        if list(scratch.iterdir()) != [made]:
            # the exporter puts larger weights into files of their own, which would have to move with it
            msg = f"The {name} graph has more than the 2 GiB that one ONNX file can hold: use backend='torch'."
            raise ValueError(msg)
        if dtype == "int8":
            exact, made = made, scratch / "int8.onnx"
            quantize(exact, made)
        made.replace(path)
    return path


@contextmanager
def scratch_beside(path: Path) -> Iterator[Path]:
    """
    A folder to make a file in before it takes its place: others may make the same, and a kill may come between.

    :param path: of the file; its folder is made where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # a process that is killed and started again and again would fill the disk
    remove_forsaken(path.parent, f"{_SCRATCH}*", _FORSAKEN_SECONDS)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=_SCRATCH) as scratch:
        yield Path(scratch)


def variant(dtype: str) -> str:
    """
    A dtype, with the bits of a weight where they are fewer than its name says.

    :param dtype: "float32" or "int8".
    """
    return f"{dtype}-7bit" if dtype == "int8" and not has_vnni() else dtype


def export(
    module: nn.Module, example: tuple[Tensor, ...], inputs: Sequence[str], outputs: Sequence[str], path: Path
) -> None:
    """
    Write a module as a graph, valid for any length of its inputs.

    :param module: in evaluation mode, on the CPU.
    :param example: inputs to trace it with, (1, length, ...).
    :param inputs: their names.
    :param outputs: names of the outputs.
    :param path: file to write.
    """
    # the exporter by tracing: the newer one takes 30 times as long for the same graph, and torch 2.1 has none
    arguments: dict[str, Any] = {"dynamo": False} if Version(torch.__version__) >= Version("2.5") else {}
    with torch.no_grad(), warnings.catch_warnings():
        # of constants in the trace, which are those of the architecture, and of the exporter's age
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: {1: f"{name}_length"} for name in (*inputs, *outputs)},
            opset_version=_OPSET,
            **arguments,
        )


def quantize(exact: Path, path: Path) -> None:
    """
    Weights to int8 by column, activations by tensor at run time; products of two activations stay fp32.

    :param exact: graph in fp32.
    :param path: file to write; another is left beside it.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415  # of the extra [onnx]
    from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415

    prepared = path.with_name("prepared.onnx")
    quant_pre_process(exact, prepared, skip_symbolic_shape=True)
    # without VNNI two products of 8 bits are added in 16, and overflow: 7 bits do not
    quantize_dynamic(prepared, path, weight_type=QuantType.QInt8, per_channel=True, reduce_range=not has_vnni())


def has_vnni() -> bool:
    """Whether the processor adds products of int8 in 32 bits. Where that is not said, it is taken not to."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    # arm64's own instructions (asimddp) have 32 bits as well
    return any(name in flags for name in ("avx512_vnni", "avx_vnni", "asimddp"))
