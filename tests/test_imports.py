"""The engine stands without Haystack, and the package without torch until something needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after a statement."""
    script = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return set(process.stdout.split())


def test_engine_loads_no_haystack() -> None:
    engine = ["evaluation", "inference", "inspection", "modeling", "passages", "reading", "representations", "runtime"]
    parts = [*engine, "squad", "training.run", "training.recipe"]
    # the package's own name for it goes the same way
    names = "from haystack_deformer import DeFormerConfig, DeFormerForQuestionAnswering\n"
    loaded = loaded_by(names + "\n".join(f"import haystack_deformer.{part}" for part in parts))
    assert "haystack" not in loaded
    # or the names above were not what was imported
    assert {"haystack_deformer", "torch", "transformers", "faiss", "lmdb"} <= loaded


@pytest.mark.parametrize("part", ["reading", "representations"])
def test_parts_without_a_model_load_no_torch(part: str) -> None:
    loaded = loaded_by(f"import haystack_deformer.{part}")
    assert loaded.isdisjoint({"torch", "transformers", "haystack"})


def test_training_gives_its_names_and_loads_them_when_asked() -> None:
    from haystack_deformer import training

    assert all(callable(getattr(training, name)) for name in training.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        training.nothing  # noqa: B018
    loaded = loaded_by("from haystack_deformer.training import TrainingConfig")
    assert loaded.isdisjoint({"torch", "transformers", "haystack"})


def test_package_loads_no_torch() -> None:
    loaded = loaded_by("import haystack_deformer; haystack_deformer.__version__")
    assert loaded.isdisjoint({"torch", "transformers", "haystack", "faiss"})
