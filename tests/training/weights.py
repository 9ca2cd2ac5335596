"""What a run has written."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """By name, of a saved model."""
    return load_file(folder / "model.safetensors")
