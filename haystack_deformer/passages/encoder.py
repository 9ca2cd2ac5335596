"""Texts to states: the lower layers, over windows sorted by length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.modeling.fingerprint import fingerprint_parts
from haystack_deformer.passages.tokenization import PassageTokenizer, TokenizedPassage
from haystack_deformer.representations import PassageRepresentation, RepresentationManifest
from haystack_deformer.runtime import Runtime, load_runtime

_BATCH_SIZE = 32


class PassageEncoder:
    """
    A model's lower half with its tokenizer. Holds no state between calls, so that threads can share it.

    :param model: in evaluation mode, on the device to run on.
    :param tokenizer: makes the windows.
    :param name: of the model: where it was loaded from.
    :param backend: what runs the lower layers over passages, "torch" or "onnx".
    :param dtype: of their matrix products: "float32", "bfloat16" (torch) or "int8" (onnx).
    :raises ValueError: for a backend or dtype that there is not.
    :raises ImportError: where the backend is not installed.
    """

    def __init__(
        self,
        model: DeFormerForQuestionAnswering,
        tokenizer: PassageTokenizer,
        name: str = "",
        *,
        backend: str = "torch",
        dtype: str = "float32",
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self._runtimes: dict[tuple[str, str], Runtime] = {}
        self._lock = Lock()
        self.passage_runtime = self.runtime(backend, dtype)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that a passage's states depend on beside its text."""
        parts = {"weights": self.model.lower_fingerprint, **self.tokenizer.fingerprint}
        # states of lower precision are others; those of two backends in fp32 are the same
        if self.passage_runtime.precision != "float32":
            parts["dtype"] = self.passage_runtime.precision
        return fingerprint_parts(parts)

    def runtime(self, backend: str = "torch", dtype: str = "float32") -> Runtime:
        """
        What runs the model's layers; one for all that ask for the same.

        :param backend: "torch" or "onnx".
        :param dtype: "float32", "bfloat16" (torch) or "int8" (onnx).
        :raises ValueError: for a backend or dtype that there is not.
        :raises ImportError: where the backend is not installed.
        """
        with self._lock:
            if (backend, dtype) not in self._runtimes:
                self._runtimes[backend, dtype] = load_runtime(self.model, self.name, backend=backend, dtype=dtype)
            return self._runtimes[backend, dtype]

    def manifest(self, codec: str) -> RepresentationManifest:
        """
        What a store has to know of the states that this encoder makes.

        :param codec: factory string of the codec that they are stored with.
        """
        layout = self.tokenizer.layout
        return RepresentationManifest(
            fingerprint=self.fingerprint,
            codec=codec,
            dimension=self.model.backbone.hidden_size,
            model=self.name,
            details={
                "model_type": self.model.config.model_type,
                "num_layers": self.model.num_layers,
                "lower_layers": self.model.lower_layers,
                "window_length": self.tokenizer.passage_length,
                "doc_stride": self.tokenizer.config.doc_stride,
                "passage_prefix": list(layout.passage_prefix),
                "passage_suffix": list(layout.passage_suffix),
                "lower_weights": self.model.lower_fingerprint,
            },
        )

    def encode(
        self,
        texts: Sequence[str],
        *,
        batch_size: int = _BATCH_SIZE,
        on_text: Callable[[int], object] | None = None,
    ) -> list[PassageRepresentation]:
        """
        Run the lower layers over passages.

        :param texts: a text without a token gets a representation without a window.
        :param batch_size: windows in a batch at most.
        :param on_text: called with the position of each text whose windows are all through, for a progress bar.
        """
        passages = self.tokenizer.passages(texts)
        windows = [ids for passage in passages for ids in passage.window_ids]
        owner = [number for number, passage in enumerate(passages) for _ in passage.window_ids]
        left = np.bincount(np.asarray(owner, dtype=np.int64), minlength=len(texts))
        states: list[npt.NDArray[np.float32] | None] = [None] * len(windows)
        done = on_text or (lambda _: None)
        for number in np.flatnonzero(left == 0):
            done(int(number))
        for position, array in self.passage_runtime.encode_passages(windows, batch_size):
            states[position] = array
            left[owner[position]] -= 1
            if left[owner[position]] == 0:
                done(owner[position])
        return self._assemble(passages, states)

    def _assemble(
        self, passages: Sequence[TokenizedPassage], states: Sequence[npt.NDArray[np.float32] | None]
    ) -> list[PassageRepresentation]:
        rows = iter(states)
        empty_states = np.zeros((0, self.model.backbone.hidden_size), dtype=np.float32)
        empty_offsets = np.zeros((0, 2), dtype=np.uint32)
        return [
            PassageRepresentation(
                window_lengths=np.asarray([len(ids) for ids in passage.window_ids], dtype=np.int32),
                offsets=np.concatenate([empty_offsets, *passage.window_offsets]),
                states=np.concatenate([empty_states, *(next(rows) for _ in passage.window_ids)]),
            )
            for passage in passages
        ]

    def sample_states(self, count: int) -> npt.NDArray[np.float32]:
        """
        States to train a codec on where the passages at hand are too few: of windows of random tokens, always the same.

        :param count: how many vectors.
        :return: (count, hidden_size).
        """
        rng = np.random.default_rng(0)
        length = self.tokenizer.passage_length
        vocabulary: dict[str, Any] = self.tokenizer.tokenizer.get_vocab()
        special = set(self.tokenizer.tokenizer.all_special_ids)
        ids = np.array(sorted(set(vocabulary.values()) - special))
        room = length - self.tokenizer.layout.passage_specials
        windows = [
            self.tokenizer.layout.passage(rng.choice(ids, size=room).tolist()) for _ in range(-(-count // length))
        ]
        states = [array for window in windows for _, array in self.passage_runtime.encode_passages([window], 1)]
        return np.concatenate(states)[:count]
