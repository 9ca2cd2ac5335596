"""A codec is trained once, whoever comes first, and states are never decoded with another."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from haystack_deformer.representations import (
    CorruptCodecError,
    PassageRepresentation,
    Representations,
    StoreReadOnlyError,
)
from tests.representations.mini import assert_close, manifest


def test_reopened_with_a_trained_codec(folder, make):
    passage = make(1_000)
    with Representations.open(manifest("SQ8"), folder) as representations:
        representations.put({b"a": passage})
        expected = representations.get([b"a"])[0].states
    with Representations.open(manifest("SQ8"), folder, read_only=True) as representations:
        np.testing.assert_array_equal(representations.get([b"a"])[0].states, expected)
        with pytest.raises(StoreReadOnlyError):
            representations.put({b"b": passage})


def test_first_batch_is_topped_up(path, make):
    asked = []

    def sample(n: int) -> np.ndarray:
        asked.append(n)
        return make(n + 50).states

    with Representations.open(manifest("SQ8"), path, training_sample=sample) as representations:
        representations.put({b"a": make(5)})
        passage = make(500)
        representations.put({b"b": passage})
        assert asked == [995]
        assert_close(representations.get([b"b"])[0], passage, tolerance=1)


def test_first_batch_that_is_tiny(path, make, caplog):
    with Representations.open(manifest("SQ8"), path) as representations:
        representations.put({b"a": make(0)})
        assert not representations.codec.is_trained
        representations.put({b"b": make(5)})
        representations.put({b"c": make(6)})
        passage = make(100)
        representations.put({b"d": passage})
        error = representations.get([b"d"])[0].states - passage.states
        assert (error**2).mean() < 0.05 * passage.states.var(axis=0).mean()
        assert representations.get([b"a"])[0].n_tokens == 0
    assert caplog.text.count("trained on 5 vectors, fewer than the 1000") == 1


def test_first_batch_too_small_for_a_product_quantiser(path, make):
    with Representations.open(manifest("PQ8"), path) as representations:
        with pytest.raises(ValueError, match=r"needs 256 .*got 5.*more documents.*SQ8"):
            representations.put({b"a": make(5)})
        assert list(representations.keys()) == []
        representations.put({b"a": make(300)})
        assert representations.contains([b"a"]) == [True]


def test_states_that_are_not_finite_leave_nothing_behind(path, make):
    bad = PassageRepresentation([1], np.zeros((1, 2), int), np.full((1, 16), np.nan))
    for codec in ("SQfp16", "SQ8"):
        with Representations.open(manifest(codec), path) as representations:
            with pytest.raises(FloatingPointError, match="not finite"):
                representations.put({b"a": make(5), b"b": bad})
            assert list(representations.keys()) == []
            assert representations.codec.is_trained == (codec == "SQfp16")


def test_codec_trained_by_another_process_is_picked_up(folder, make, python, finish):
    with (
        Representations.open(manifest("SQ8"), folder) as writer,
        Representations.open(manifest("SQ8"), folder, read_only=True) as reader,
    ):
        assert not writer.codec.is_trained
        finish(
            python(
                """
                import sys, numpy as np
                from haystack_deformer.representations import *
                representations = Representations.open(RepresentationManifest("ab" * 16, "SQ8", 16), sys.argv[1])
                states = np.random.default_rng(1).standard_normal((1_000, 16))
                representations.put({b"theirs": PassageRepresentation([1_000], np.zeros((1_000, 2), int), states)})
                """,
                folder,
            )
        )
        expected = np.random.default_rng(1).standard_normal((1_000, 16))
        np.testing.assert_allclose(reader.get([b"theirs"])[0].states, expected, atol=0.05)
        mine = PassageRepresentation([5], np.zeros((5, 2), int), expected[:5])
        writer.put({b"mine": mine})
        for representations in (writer, reader):
            for found in representations.get([b"theirs", b"mine"]):
                np.testing.assert_allclose(found.states[:5], expected[:5], atol=0.05)


@pytest.mark.parametrize("damage", ["lost", "truncated"])
def test_codec_lost_or_damaged(folder, make, damage):
    with Representations.open(manifest("SQ8"), folder) as representations:
        representations.put({b"0": make(0), b"a": make(1_000)})
        file = representations.path / "codec.faiss"
    whole = file.read_bytes()
    file.unlink() if damage == "lost" else file.write_bytes(whole[:-5])
    for read_only in (True, False):
        with pytest.raises(CorruptCodecError, match=r"codec.faiss is (missing|damaged).*index again"):
            Representations.open(manifest("SQ8"), folder, read_only=read_only)
    file.write_bytes(whole)
    with Representations.open(manifest("SQ8"), folder) as representations:
        assert representations.get([b"a"])[0].n_tokens == 1_000


def test_codec_exchanged_for_another_training(folder, make):
    for name in ("a", "b"):
        with Representations.open(manifest("SQ8"), folder / name) as representations:
            representations.put({b"a": make(1_000)})
            where = representations.path
    shutil.copy(where / "codec.faiss", folder / "a" / where.name / "codec.faiss")
    with Representations.open(manifest("SQ8"), folder / "a") as representations:
        assert representations.get([b"a"]) == [None]
