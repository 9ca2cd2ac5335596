"""The states of one passage, as they leave the lower layers and as they come back from the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PassageRepresentation:
    """
    One passage (a document's text): its token windows' states after the lower layers.

    :param window_lengths: int32 (n_windows,): tokens in each window, special tokens included.
    :param offsets: uint32 (n_tokens, 2): first and one-past-last character of each token in the passage's text, windows
        one after another; (0, 0) for special tokens.
    :param states: float32 (n_tokens, hidden_size).
    :raises ValueError: the three do not describe the same number of tokens.
    """

    window_lengths: np.ndarray
    offsets: np.ndarray
    states: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "window_lengths", _as(self.window_lengths, np.int32))
        object.__setattr__(self, "offsets", _as(self.offsets, np.uint32))
        object.__setattr__(self, "states", _as(self.states, np.float32))
        tokens = int(self.window_lengths.sum())
        if (
            self.window_lengths.ndim != 1
            or bool((self.window_lengths < 0).any())
            or self.offsets.shape != (tokens, 2)
            or self.states.ndim != 2
            or len(self.states) != tokens
        ):
            msg = (
                f"window_lengths {self.window_lengths.tolist()[:8]} (shape {self.window_lengths.shape}), offsets "
                f"{self.offsets.shape} and states {self.states.shape} do not belong together: expected (n_windows,), "
                f"(n_tokens, 2) and (n_tokens, hidden_size), n_tokens being the sum of the window lengths"
            )
            raise ValueError(msg)

    @property
    def n_windows(self) -> int:
        """Number of windows; 0 for a passage without text."""
        return len(self.window_lengths)

    @property
    def n_tokens(self) -> int:
        """Number of tokens in all windows; those in an overlap count once per window."""
        return len(self.states)

    @property
    def hidden_size(self) -> int:
        """Width of a state."""
        return int(self.states.shape[1])

    def windows(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """
        Go through the windows in order.

        :returns: (states, offsets) of each window, views of shape (tokens, hidden_size) and (tokens, 2).
        """
        start = 0
        for length in self.window_lengths.tolist():
            yield self.states[start : start + length], self.offsets[start : start + length]
            start += length


def _as(array: np.ndarray, dtype: type[np.generic]) -> np.ndarray:
    converted = np.asarray(array)
    # tokenizers hand out int64, an empty list becomes float64: integers survive unchanged or not at all
    if np.issubdtype(dtype, np.integer) and converted.size:
        limits = np.iinfo(dtype)  # type: ignore[type-var]
        whole = np.issubdtype(converted.dtype, np.integer)
        if not whole or converted.min() < limits.min or converted.max() > limits.max:
            msg = f"Expected integers from {limits.min} to {limits.max}, got {converted.dtype} {converted.ravel()[:8]}"
            raise ValueError(msg)
    return np.ascontiguousarray(converted, dtype=dtype)
