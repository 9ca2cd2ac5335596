"""PyTorch: the reference, and the only runtime on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from threading import Lock

import torch
from torch import Tensor

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.runtime.base import Floats, Runtime, logits_array
from haystack_deformer.runtime.batching import BatchPlan, pad_ids, pad_states
from haystack_deformer.runtime.pool import Result, WindowPool
from haystack_deformer.runtime.prepacking import prepack
from haystack_deformer.runtime.threads import stay_alone


class TorchRuntime(Runtime):
    """
    The model as it is: batches on a GPU, a batch of short windows or one long window for each thread on a CPU.

    :param model: in evaluation mode, on the device to run on; its weights are not to be changed after the first use.
    :param dtype: "float32"; or "bfloat16", for processors that have it: weights are copied, at half their size.
    """

    def __init__(self, model: DeFormerForQuestionAnswering, dtype: str = "float32") -> None:
        self.model = model
        self.dtype = dtype
        self._pool = WindowPool(initializer=stay_alone) if model.device.type == "cpu" else None
        self._lock = Lock()
        self._prepared: DeFormerForQuestionAnswering | None = None

    @property
    def _model(self) -> DeFormerForQuestionAnswering:
        """The model as it runs; made at the first use, for a process that runs another backend never does."""
        with self._lock:
            if self._prepared is None:
                model = self.model if self.dtype == "float32" else _in_bfloat16(self.model)
                self._prepared = prepack(model) if model.device.type == "cpu" else model
            return self._prepared

    @torch.inference_mode()
    def encode_question(self, token_ids: Sequence[int]) -> Floats:
        """Run the lower layers over a question."""
        ids, _ = pad_ids([token_ids], self.model.device)
        return _array(self._model.encode_question(ids)[0])

    def encode_passages(self, windows: Sequence[Sequence[int]], batch_size: int) -> Iterator[tuple[int, Floats]]:
        """Run the lower layers over windows of like length together."""
        model = self._model

        @torch.inference_mode()
        def encode(batch: Sequence[int]) -> Floats:
            ids, mask = pad_ids([windows[number] for number in batch], self.model.device)
            return _array(model.encode_passages(ids, mask))

        for batch, states in self._run(encode, [len(ids) for ids in windows], batch_size):
            for number, row in zip(batch, states, strict=True):
                yield number, row[: len(windows[number])]

    def read(self, question: Floats, windows: Sequence[Floats], batch_size: int) -> tuple[Floats, Floats]:
        """Run the upper layers over windows of like length together."""
        start_logits, end_logits = logits_array(windows)
        model = self._model
        device, dtype = model.device, next(model.parameters()).dtype
        asked = torch.from_numpy(question)[None].to(device, dtype)

        @torch.inference_mode()
        def read(batch: Sequence[int]) -> tuple[Floats, Floats]:
            passages, mask = pad_states([torch.from_numpy(windows[number]) for number in batch], device)
            logits = model.read(asked, passages.to(dtype), passage_mask=mask)
            return _array(logits.start_logits), _array(logits.end_logits)

        for batch, (starts, ends) in self._run(read, [len(states) for states in windows], batch_size):
            start_logits[batch, : starts.shape[1]] = starts
            end_logits[batch, : ends.shape[1]] = ends
        return start_logits, end_logits

    def _run(
        self, work: Callable[[Sequence[int]], Result], lengths: Sequence[int], batch_size: int
    ) -> Iterator[tuple[list[int], Result]]:
        batches = list(BatchPlan.for_device(self.model.device, batch_size).batches(lengths))
        if self._pool is not None:
            tokens = [len(batch) * lengths[batch[0]] for batch in batches]
            return self._pool.run(work, batches, batch_size, self._pool.together(tokens))
        return ((batch, work(batch)) for batch in batches)


def _in_bfloat16(model: DeFormerForQuestionAnswering) -> DeFormerForQuestionAnswering:
    model = deepcopy(model)
    # not the buffers: ModernBERT's are the frequencies of its positions, which rounding would move apart
    for parameter in model.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)
    return model


def _array(tensor: Tensor) -> Floats:
    return tensor.float().cpu().numpy()
