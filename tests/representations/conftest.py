from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from haystack_deformer.representations import PassageRepresentation
from tests.representations.scripts import HEAD

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make() -> Callable[..., PassageRepresentation]:
    """Passages with random states, a new one at each call."""
    random = np.random.default_rng(7)

    def make(tokens: int = 40, dimension: int = 16) -> PassageRepresentation:
        lengths = np.array([tokens // 3, tokens - tokens // 3], dtype=np.int64)
        offsets = np.arange(2 * tokens, dtype=np.int64).reshape(tokens, 2)
        # a few dimensions are far larger than the others, as transformers have them
        scale = np.where(np.arange(dimension) % 7 == 3, 9, 0.5)
        return PassageRepresentation(lengths, offsets, random.standard_normal((tokens, dimension)) * scale + scale)

    return make


@pytest.fixture
def python() -> Callable[..., subprocess.Popen[str]]:
    """Run a script in a process of its own; its arguments are in `sys.argv[1:]`."""
    started: list[subprocess.Popen[str]] = []

    def run(script: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def finish() -> Callable[[subprocess.Popen[str]], str]:
    """Wait for a process that must end well, and return what it printed."""

    def finish(process: subprocess.Popen[str]) -> str:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, f"exit {process.returncode}\n{out}\n{err}"
        return out

    return finish


@pytest.fixture(params=["memory", "disk"])
def path(request, tmp_path):
    return tmp_path / "states" if request.param == "disk" else None


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "states"


@pytest.fixture
def run(python: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.Popen[str]]:
    """Run a script about a store in a process of its own."""
    return lambda script, *arguments: python(HEAD + script, *arguments)
