"""Wrong arguments are told when the store is made, before it makes a file or loads a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_no_model(make_store: Any) -> None:
    for missing in (None, ""):
        with pytest.raises(ValueError, match="deformer_model is missing: give the name or the path"):
            make_store(deformer_model=missing)


def test_a_folder_without_weights(make_store: Any, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No model at"):
        make_store(deformer_model=str(tmp_path / "nowhere"))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(OSError, match=r"model\.safetensors"):
        make_store(deformer_model=str(tmp_path))


@pytest.mark.parametrize("cut", [4, 5, "4", -1, "two", 2.5, True])
def test_a_cut_that_does_not_fit(make_store: Any, cut: Any) -> None:
    with pytest.raises(ValueError, match="lower_layers"):
        make_store(lower_layers=cut)


def test_a_codec_that_faiss_does_not_know(make_store: Any) -> None:
    with pytest.raises(ValueError, match="SQ5"):
        make_store(representation_codec="SQ5")


@pytest.mark.parametrize("size", [0, -1, "x", None, 1.5])
def test_a_batch_size_that_is_none(make_store: Any, size: Any) -> None:
    with pytest.raises(ValueError, match="representation_batch_size must be a whole number of at least 1"):
        make_store(representation_batch_size=size)


def test_a_plain_checkpoint_gets_a_cut(make_store: Any, tiny_bert: Path) -> None:
    assert make_store(deformer_model=str(tiny_bert)).lower_layers == 3
    assert make_store(deformer_model=str(tiny_bert), lower_layers="0").lower_layers == 0
    assert make_store(deformer_model=tiny_bert, lower_layers="").lower_layers == 3
