"""Windows of many lengths to batches that waste little on padding."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_CPU_TOKENS = 256
"""Rows of a product from which on more rows gain nothing."""

_TOGETHER = 0.8
"""Of threads that share a product, the share of their time that is not lost on it: 50 ms a window by two, 83 by one."""


@dataclass(frozen=True)
class BatchPlan:
    """
    How windows are put together.

    :param batch_size: windows in a batch at most.
    :param max_padding: share of a batch's tokens that may be padding.
    :param max_tokens: of a batch of more than one window, padding included; None: as many as come together.
    """

    batch_size: int
    max_padding: float
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            msg = f"batch_size must be at least 1, got {self.batch_size}."
            raise ValueError(msg)

    @classmethod
    def for_device(cls, device: torch.device, batch_size: int) -> BatchPlan:
        """
        The plan that suits a device.

        A CPU pays for every token of padding (1.7x measured on ten passages of SQuAD's lengths) and gains from a batch
        only what a product of few rows wastes, so that only short windows of like length go together there; a GPU waits
        for launches unless batches are large.

        :param device: where the model runs.
        :param batch_size: windows in a batch at most.
        """
        if device.type == "cpu":
            return cls(batch_size, max_padding=0.03, max_tokens=_CPU_TOKENS)
        return cls(batch_size, max_padding=1.0)

    def batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """
        Positions of windows, longest first, so that the largest batch fails for memory at once if it does.

        :param lengths: tokens of each window.
        """
        order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
        batch: list[int] = []
        tokens = 0
        for position in order:
            if batch:
                padded = lengths[batch[0]] * (len(batch) + 1)
                wasted = padded - tokens - lengths[position]
                full = len(batch) == self.batch_size or (self.max_tokens is not None and padded > self.max_tokens)
                if full or wasted > self.max_padding * padded:
                    yield batch
                    batch, tokens = [], 0
            batch.append(position)
            tokens += lengths[position]
        if batch:
            yield batch


def left_together(tokens: Sequence[int], threads: int) -> int:
    """
    How many of the last batches are better done by all threads together when the others are done.

    Three like batches keep one of two threads idle while the other does its second. On 2 cores three passages took 11
    to 13% less time, five 4 to 9%, eleven 2 to 5%.

    :param tokens: of each batch, in the order in which threads take them.
    :param threads: that do a batch each.
    :return: 0 where each thread may as well take its own to the end.
    """
    if len(tokens) == 1:
        return 1
    rest = len(tokens) % threads
    # more than half of the threads' number gain little, and much is lost where many threads share a product badly
    if len(tokens) < threads or not 0 < rest <= threads // 2:
        return 0
    together = _last_done(tokens[:-rest], threads) + sum(tokens[-rest:]) / (threads * _TOGETHER)
    return rest if together < _last_done(tokens, threads) else 0


def _last_done(tokens: Sequence[int], threads: int) -> int:
    """When the last is done, in tokens by one thread, where whoever is free takes the next."""
    busy = [0] * threads
    for count in tokens:
        heapq.heapreplace(busy, busy[0] + count)
    return max(busy)


def pad_ids(
    rows: Sequence[Sequence[int]], device: torch.device, pad_to_multiple_of: int = 1
) -> tuple[Tensor, Tensor | None]:
    """
    Token ids in one tensor, padded on the right with 0.

    :param rows: token ids of each window.
    :param device: where to put them.
    :param pad_to_multiple_of: to which length the longest is padded as well.
    :return: int64 (rows, longest) and the mask of what is there; None where nothing is padded.
    """
    lengths = [len(row) for row in rows]
    longest = -(-max(lengths) // pad_to_multiple_of) * pad_to_multiple_of
    ids = torch.zeros((len(rows), longest), dtype=torch.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.as_tensor(row, dtype=torch.int64)
    return ids.to(device), length_mask(lengths, device, longest)


def pad_states(rows: Sequence[Tensor], device: torch.device) -> tuple[Tensor, Tensor | None]:
    """
    States in one tensor, padded on the right with 0.

    :param rows: (tokens, hidden_size) of each window.
    :return: (rows, longest, hidden_size) and the mask of what is there; None where all are of one length.
    """
    states = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True).to(device)
    return states, length_mask([len(row) for row in rows], device)


def length_mask(lengths: Sequence[int], device: torch.device, longest: int | None = None) -> Tensor | None:
    """
    The mask of what is there; None where nothing is padded.

    :param lengths: tokens of each window.
    :param device: where to put it.
    :param longest: columns; None: as many as the longest has tokens.
    """
    longest = longest or max(lengths)
    if min(lengths) == longest:
        return None
    return (torch.arange(longest)[None] < torch.as_tensor(lengths)[:, None]).to(device)
