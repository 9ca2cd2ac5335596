"""PyTorch: the reference, and the only runtime on a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.runtime.base import Floats, Runtime, logits_array
from haystack_deformer.runtime.batching import BatchPlan, pad_ids, pad_states


class TorchRuntime(Runtime):
    """
    The model as it is.

    :param model: in evaluation mode, on the device to run on.
    :param dtype: "float32", or "bfloat16" for matrix products in bfloat16 (autocast) where the processor has them.
    """

    def __init__(self, model: DeFormerForQuestionAnswering, dtype: str = "float32") -> None:
        self.model = model
        self.dtype = dtype

    def _precision(self) -> AbstractContextManager[object]:
        if self.dtype == "float32":
            return nullcontext()
        return torch.autocast(self.model.device.type, dtype=torch.bfloat16)

    @torch.inference_mode()
    def encode_question(self, token_ids: Sequence[int]) -> Floats:
        """Run the lower layers over a question."""
        ids, _ = pad_ids([token_ids], self.model.device)
        with self._precision():
            return self.model.encode_question(ids)[0].float().cpu().numpy()

    def encode_passages(self, windows: Sequence[Sequence[int]], batch_size: int) -> Iterator[tuple[int, Floats]]:
        """Run the lower layers over windows of like length together."""
        plan = BatchPlan.for_device(self.model.device, batch_size)
        for batch in plan.batches([len(ids) for ids in windows]):
            yield from zip(batch, self._encode_batch([windows[number] for number in batch]), strict=True)

    @torch.inference_mode()
    def _encode_batch(self, windows: Sequence[Sequence[int]]) -> list[Floats]:
        ids, mask = pad_ids(windows, self.model.device)
        with self._precision():
            states = self.model.encode_passages(ids, mask).float().cpu().numpy()
        return [row[: len(window)] for row, window in zip(states, windows, strict=True)]

    @torch.inference_mode()
    def read(self, question: Floats, windows: Sequence[Floats], batch_size: int) -> tuple[Floats, Floats]:
        """Run the upper layers over windows of like length together."""
        start_logits, end_logits = logits_array(windows)
        plan = BatchPlan.for_device(self.model.device, batch_size)
        asked = torch.from_numpy(question)[None].to(self.model.device)
        # one context for all batches: it keeps the weights that it has cast
        with self._precision():
            for batch in plan.batches([len(states) for states in windows]):
                passages, mask = pad_states([torch.from_numpy(windows[number]) for number in batch], self.model.device)
                logits = self.model.read(asked, passages, passage_mask=mask)
                columns = 1 + passages.shape[1]
                start_logits[batch, :columns] = logits.start_logits.float().cpu().numpy()
                end_logits[batch, :columns] = logits.end_logits.float().cpu().numpy()
        return start_logits, end_logits
