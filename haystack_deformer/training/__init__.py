"""Train a model down to a cut."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from haystack_deformer.training.averaging import average
    from haystack_deformer.training.config import TrainingConfig
    from haystack_deformer.training.recipe import distil
    from haystack_deformer.training.run import train

__all__ = ["TrainingConfig", "average", "distil", "train"]

_HOMES = {"TrainingConfig": "config", "average": "averaging", "distil": "recipe", "train": "run"}


def __getattr__(name: str) -> Any:
    """Import what is asked for: torch and transformers take seconds, and `--help` needs the settings alone."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
