"""The tiny BERT at a cut, blocks of random token ids, and how near two ways have to come."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from haystack_deformer.modeling import DeFormerForQuestionAnswering

LAYERS = 4
TOLERANCE = 1e-4


def load(folder: Path, lower_layers: int) -> DeFormerForQuestionAnswering:
    return DeFormerForQuestionAnswering.from_pretrained(folder, lower_layers, max_seq_len=128, doc_stride=20)


def random_ids(*lengths: int, seed: int = 0) -> list[Tensor]:
    """Token ids of several blocks, (1, length) each, without special tokens' ids."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(7, 99, (1, length), generator=generator) for length in lengths]


def pad(blocks: list[Tensor], to: int = 0) -> tuple[Tensor, Tensor]:
    """Blocks in one tensor with garbage behind their ends, and the mask of what is there."""
    longest = max(to, *(block.shape[1] for block in blocks))
    ids = torch.cat([F.pad(block, (0, longest - block.shape[1]), value=8) for block in blocks])
    mask = torch.tensor([[column < block.shape[1] for column in range(longest)] for block in blocks])
    return ids, mask.long()


def assert_close(one: Tensor, other: Tensor, tolerance: float = TOLERANCE) -> None:
    torch.testing.assert_close(one, other, atol=tolerance, rtol=0)
