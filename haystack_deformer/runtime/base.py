"""What runs a model's layers: the interface that the encoder and the reader are written against."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

BACKENDS = ("torch", "onnx")
DTYPES = {"torch": ("float32", "bfloat16"), "onnx": ("float32", "int8")}


class Runtime(ABC):
    """
    Runs the layers of one model. Holds no state between calls, so that threads can share it.

    States go in and come out as fp32 arrays, whatever is computed with: they are stored, and read by other runtimes.
    """

    dtype: str = "float32"
    """What the matrix products are computed in."""

    @property
    def precision(self) -> str:
        """What its states depend on beside the weights: states of another precision are others."""
        return self.dtype

    @property
    def leaves_cores(self) -> bool:
        """Whether a question leaves cores free for something else meanwhile."""
        return False

    @abstractmethod
    def encode_question(self, token_ids: Sequence[int]) -> Floats:
        """
        Run the lower layers over a question.

        :param token_ids: special tokens included.
        :return: (tokens, hidden_size).
        """

    @abstractmethod
    def encode_passages(self, windows: Sequence[Sequence[int]], batch_size: int) -> Iterator[tuple[int, Floats]]:
        """
        Run the lower layers over windows of passages.

        :param windows: token ids, special tokens included.
        :param batch_size: windows that may run at once.
        :return: position and states, (tokens, hidden_size), of each window, in the order in which they are done.
        """

    @abstractmethod
    def read(self, question: Floats, windows: Sequence[Floats], batch_size: int) -> tuple[Floats, Floats]:
        """
        Run the upper layers over a question and windows of passages.

        :param question: states, (tokens, hidden_size).
        :param windows: states of each, (tokens, hidden_size); at least one.
        :param batch_size: windows that may run at once.
        :return: start and end logits, (windows, 1 + longest window); column 0 is the null answer, and what stands
            behind a window's end is of no meaning.
        """


def check_runtime(backend: str, dtype: str) -> None:
    """
    Refuse what cannot be run.

    :param backend: "torch" or "onnx".
    :param dtype: "float32", "bfloat16" (torch) or "int8" (onnx).
    :raises ValueError: names what there is.
    """
    if backend not in BACKENDS:
        msg = f"backend={backend!r} is not known: give one of {', '.join(BACKENDS)}."
        raise ValueError(msg)
    if dtype not in DTYPES[backend]:
        having = " and ".join(f"{name!r} has {', '.join(dtypes)}" for name, dtypes in DTYPES.items())
        msg = f"dtype={dtype!r} is not to be had from backend={backend!r}: {having}."
        raise ValueError(msg)


def logits_array(windows: Sequence[Floats]) -> tuple[Floats, Floats]:
    """
    Room for the logits of some windows.

    :param windows: states of each.
    :return: two of (windows, 1 + longest window).
    """
    shape = (len(windows), 1 + max(map(len, windows)))
    return np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
