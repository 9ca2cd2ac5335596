"""A model in a folder of its own: graphs are made beside its weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from haystack_deformer.modeling import DeFormerForQuestionAnswering


@pytest.fixture(scope="module")
def folder(tiny_deformer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(tiny_deformer, tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture(scope="module")
def model(folder: Path) -> DeFormerForQuestionAnswering:
    return DeFormerForQuestionAnswering.from_pretrained(folder)
