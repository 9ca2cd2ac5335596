"""ONNX Runtime on the CPU, in fp32 or with weights in int8."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.runtime.base import Floats, Runtime, logits_array
from haystack_deformer.runtime.onnx_export import graph_file


class OnnxRuntime(Runtime):
    """
    The model's halves as graphs, each loaded at its first use.

    A window runs on one thread and as many windows at once as there are threads: no padding, and no thread that waits
    for another within a product.

    :param model: in evaluation mode, on the CPU.
    :param dtype: "float32" or "int8".
    :param folder: where the graphs are kept.
    :param threads: windows that run at once; None: as many as PyTorch has threads.
    :raises ImportError: where onnxruntime is missing; says how to get it.
    :raises ValueError: for a model on another device.
    """

    def __init__(
        self,
        model: DeFormerForQuestionAnswering,
        dtype: str,
        folder: str | os.PathLike[str],
        threads: int | None = None,
    ) -> None:
        if model.device.type != "cpu":
            msg = f"backend='onnx' runs on the CPU, and the model is on {model.device}: use backend='torch' there."
            raise ValueError(msg)
        try:
            import onnxruntime  # noqa: F401, PLC0415  # of the extra [onnx]
        except ImportError as error:
            msg = "backend='onnx' needs onnxruntime and onnx: pip install 'haystack-deformer[onnx]'."
            raise ImportError(msg) from error
        self.model = model
        self.dtype = dtype
        self.folder = Path(folder)
        self.threads = threads or torch.get_num_threads()
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="deformer-onnx")

    @cached_property
    def _question(self) -> Any:
        # a question is all that there is to run when it comes: its products take all threads
        return self._session("question", self.threads)

    @cached_property
    def _passage(self) -> Any:
        return self._session("passage", 1)

    @cached_property
    def _read(self) -> Any:
        return self._session("read", 1)

    def _session(self, name: str, threads: int) -> Any:
        import onnxruntime  # noqa: PLC0415  # of the extra [onnx]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # warnings of the graph's optimiser are nothing that a user could mend
        options.log_severity_level = 3
        path = graph_file(self.model, name, self.dtype, self.folder)
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def encode_question(self, token_ids: Sequence[int]) -> Floats:
        """Run the lower layers over a question."""
        return self._question.run(None, {"input_ids": np.array([token_ids], dtype=np.int64)})[0][0]

    def encode_passages(self, windows: Sequence[Sequence[int]], batch_size: int) -> Iterator[tuple[int, Floats]]:
        """Run the lower layers over windows, one a thread."""
        session = self._passage

        def encode(number: int) -> Floats:
            return session.run(None, {"input_ids": np.array([windows[number]], dtype=np.int64)})[0][0]

        yield from self._run(encode, [len(window) for window in windows], batch_size)

    def read(self, question: Floats, windows: Sequence[Floats], batch_size: int) -> tuple[Floats, Floats]:
        """Run the upper layers over windows, one a thread."""
        session, asked = self._read, question[None]
        start_logits, end_logits = logits_array(windows)

        def read(number: int) -> tuple[Floats, Floats]:
            starts, ends = session.run(None, {"question": asked, "passage": windows[number][None]})
            return starts[0], ends[0]

        for number, (starts, ends) in self._run(read, [len(window) for window in windows], batch_size):
            start_logits[number, : len(starts)] = starts
            end_logits[number, : len(ends)] = ends
        return start_logits, end_logits

    def _run(self, work: Callable[[int], Any], lengths: Sequence[int], batch_size: int) -> Iterator[tuple[int, Any]]:
        """All windows, the longest first, so that no thread is left alone with one at the end."""
        order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
        if len(order) == 1:
            yield order[0], work(order[0])
            return
        # some at a time: what is done waits in memory until it is taken
        step = max(batch_size, self.threads)
        for first in range(0, len(order), step):
            futures = {self._pool.submit(work, number): number for number in order[first : first + step]}
            for future in as_completed(futures):
                yield futures[future], future.result()
