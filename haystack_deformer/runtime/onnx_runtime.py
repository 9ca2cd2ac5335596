"""ONNX Runtime on the CPU, in fp32 or with weights in int8."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence, Sized
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.runtime.base import Floats, Runtime, logits_array
from haystack_deformer.runtime.onnx_export import graph_file, graph_folder_name, graph_path, variant
from haystack_deformer.runtime.pool import WindowPool

logger = logging.getLogger(__name__)


class OnnxRuntime(Runtime):
    """
    The model's halves as graphs, each loaded at its first use.

    A window runs on one thread and as many windows at once as there are threads, without padding; those that are left
    over then run on all threads one by one.

    :param model: in evaluation mode, on the CPU.
    :param dtype: "float32" or "int8".
    :param folder: where the graphs are kept.
    :param made_before: a folder that cannot be written to, whose graphs are used where it has them.
    :param threads: windows that run at once; None: as many as PyTorch has threads.
    :raises ImportError: where onnxruntime is missing; says how to get it.
    :raises ValueError: for a model on another device.
    """

    def __init__(
        self,
        model: DeFormerForQuestionAnswering,
        dtype: str,
        folder: str | os.PathLike[str],
        made_before: str | os.PathLike[str] | None = None,
        *,
        threads: int | None = None,
    ) -> None:
        if model.device.type != "cpu":
            msg = (
                f"backend='onnx' runs on the CPU, and the model is on {model.device}: give the device 'cpu', or "
                "backend='torch'."
            )
            raise ValueError(msg)
        try:
            import onnxruntime  # noqa: F401, PLC0415  # of the extra [onnx]
        except ImportError as error:
            msg = "backend='onnx' needs onnxruntime and onnx: pip install 'haystack-deformer[onnx]'."
            raise ImportError(msg) from error
        self.model = model
        self.dtype = dtype
        self._folder = Path(folder)
        self._made_before = None if made_before is None else Path(made_before)
        self._pool = WindowPool(threads)
        self._sessions: dict[tuple[str, int], Any] = {}
        self._lock = Lock()

    @property
    def precision(self) -> str:
        """The dtype, and for int8 the bits of a weight, which are not the same on all processors."""
        return variant(self.dtype)

    @property
    def leaves_cores(self) -> bool:
        """In int8, where one thread runs the question."""
        return self.dtype == "int8" and self._pool.threads > 1

    def _session(self, name: str, *, alone: bool) -> Any:
        """A graph with all threads in each product where it runs alone, else with one."""
        threads = self._pool.threads if alone else 1
        with self._lock:
            if (name, threads) not in self._sessions:
                self._sessions[name, threads] = self._load(name, threads)
            return self._sessions[name, threads]

    def _load(self, name: str, threads: int) -> Any:
        import onnxruntime  # noqa: PLC0415  # of the extra [onnx]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # threads that wait in a loop for more work hold the cores that another session's windows run on: one passage
        # took 75 ms in place of 30 on 2 cores, ten 188 in place of 155
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # warnings of the graph's optimiser are nothing that a user could mend
        options.log_severity_level = 3

        def session(path: Path) -> Any:
            # the fused operator takes 0.8 ms for 184 tokens, an addition and a normalisation 0.15: 7% of an int8 window
            return onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
            )

        if self._made_before is not None:
            path = graph_path(self._made_before / self._weights, name, self.dtype)
            if path.is_file():
                try:
                    return session(path)
                except Exception as error:  # noqa: BLE001  # onnxruntime's kinds have no other parent
                    logger.warning("%s cannot be loaded, and another is made in %s: %s", path, self._folder, error)
        path = graph_file(self.model, name, self.dtype, self._folder / self._weights)
        try:
            return session(path)
        except Exception as error:  # noqa: BLE001
            logger.warning("%s cannot be loaded, and is made again: %s", path, error)
            path.unlink(missing_ok=True)
            return session(graph_file(self.model, name, self.dtype, path.parent))

    @cached_property
    def _weights(self) -> str:
        """The name of their sub-folder, found once: all weights are looked at for it."""
        return graph_folder_name(self.model)

    def encode_question(self, token_ids: Sequence[int]) -> Floats:
        """Run the lower layers over a question."""
        # so few products in int8 are done before a second thread is awake: 9.4 ms with one, 10.1 with two
        session = self._session("question", alone=self.dtype != "int8")
        return session.run(None, {"input_ids": np.array([token_ids], dtype=np.int64)})[0][0]

    def encode_passages(self, windows: Sequence[Sequence[int]], batch_size: int) -> Iterator[tuple[int, Floats]]:
        """Run the lower layers over windows, one a thread."""
        # of many windows the last few are not worth the memory of another session
        alone = len(windows) == 1
        session = self._session("passage", alone=alone)

        def encode(batch: Sequence[int]) -> Floats:
            return session.run(None, {"input_ids": np.array([windows[batch[0]]], dtype=np.int64)})[0][0]

        for (number,), states in self._pool.run(encode, _one_by_one(windows), batch_size, together=int(alone)):
            yield number, states

    def read(self, question: Floats, windows: Sequence[Floats], batch_size: int) -> tuple[Floats, Floats]:
        """Run the upper layers over windows, one a thread, those that are left over in all threads."""
        asked, batches = question[None], _one_by_one(windows)
        together = self._pool.together([len(windows[number]) for (number,) in batches])
        alone = {number for (number,) in batches[len(batches) - together :]}
        start_logits, end_logits = logits_array(windows)

        def read(batch: Sequence[int]) -> tuple[Floats, Floats]:
            session = self._session("read", alone=batch[0] in alone)
            starts, ends = session.run(None, {"question": asked, "passage": windows[batch[0]][None]})
            return starts[0], ends[0]

        for (number,), (starts, ends) in self._pool.run(read, batches, batch_size, together):
            start_logits[number, : len(starts)] = starts
            end_logits[number, : len(ends)] = ends
        return start_logits, end_logits


def _one_by_one(windows: Sequence[Sized]) -> list[list[int]]:
    """Positions, the longest window first."""
    return [[number] for number in sorted(range(len(windows)), key=lambda number: -len(windows[number]))]
