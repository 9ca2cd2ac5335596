"""What runs the model's layers: PyTorch, or graphs of the same modules in ONNX Runtime."""

from haystack_deformer.runtime.base import BACKENDS, DTYPES, Runtime, check_runtime
from haystack_deformer.runtime.batching import BatchPlan, length_mask, pad_ids, pad_states
from haystack_deformer.runtime.loading import load_runtime
from haystack_deformer.runtime.torch_runtime import TorchRuntime

__all__ = [
    "BACKENDS",
    "DTYPES",
    "BatchPlan",
    "Runtime",
    "TorchRuntime",
    "check_runtime",
    "length_mask",
    "load_runtime",
    "pad_ids",
    "pad_states",
]
