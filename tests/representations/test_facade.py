"""Passages' states by text: what is put is got, what is damaged or of another model is not."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from haystack_deformer.representations import (
    PassageRepresentation,
    RepresentationManifest,
    Representations,
    RepresentationStoreError,
)
from tests.representations.mini import assert_close, manifest


def test_put_and_get(path, make):
    with Representations.open(manifest(), path) as representations:
        keys = [representations.key(text) for text in ("one", "two", "three")]
        passages = dict(zip(keys, (make(10), make(300), make(0)), strict=True))
        representations.put(passages)
        found = representations.get([keys[2], b"nothing", keys[0], keys[1], keys[0]])
        assert found[1] is None
        for got, key in zip([found[0], *found[2:]], [keys[2], keys[0], keys[1], keys[0]], strict=True):
            assert_close(got, passages[key])
        assert representations.contains([keys[0], b"nothing"]) == [True, False]
        assert sorted(representations.keys()) == sorted(keys)
        assert representations.get([]) == []
        assert representations.delete([keys[0], b"nothing"]) == 1
        assert representations.get([keys[0]]) == [None]


@pytest.mark.parametrize("codec", ["Flat", "SQfp16", "SQ8"])
def test_what_was_got_stays_when_the_store_does_not(path, make, codec):
    """Records are decoded where the store has them, and nothing that is returned lies there."""
    with Representations.open(manifest(codec), path) as representations:
        passage = make(700)
        representations.put({b"a": passage})
        [found] = representations.get([b"a"])
        expected = representations.roundtrip(passage)
        representations.delete([b"a"])
        representations.compact()
        representations.put({bytes([number]): make(700) for number in range(20)})
    for name in ("window_lengths", "offsets", "states"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_keys_depend_on_text_and_fingerprint_alone():
    one = Representations.open(manifest())
    texts = ["", "a", "A", "é", "e\u0301", "\ud800", "😀", "a\0", "א"]
    keys = [one.key(text) for text in texts]
    assert len(set(keys)) == len(texts)
    assert all(len(key) == 16 for key in keys)
    assert Representations.open(manifest("SQ8", format_version=2)).key("a") == one.key("a")
    assert Representations.open(manifest(fingerprint="cd")).key("a") != one.key("a")
    assert Representations.open(manifest(fingerprint="c")).key("da") != Representations.open(
        manifest(fingerprint="cd")
    ).key("a")


def test_key_is_the_same_in_all_releases():
    assert Representations.open(manifest()).key("Paris").hex() == "8823b5672d249501cc4644e702db8967"


@pytest.mark.parametrize("codec", ["SQ8", "SQ4", "PQ8x4", "OPQ8,PQ8x4"])
def test_roundtrip_is_what_a_reader_gets(path, make, codec):
    with Representations.open(manifest(codec), path) as representations:
        passage = make(700)
        assert representations.roundtrip(passage) is passage
        representations.put({b"a": passage, b"b": make(0)})
        [found, empty] = representations.get([b"a", b"b"])
        np.testing.assert_array_equal(representations.roundtrip(passage).states, found.states)
        assert not np.array_equal(found.states, passage.states)
        assert empty.n_tokens == 0


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty"])
def test_damaged_record_counts_as_missing_and_is_removed(path, make, damage, caplog):
    with Representations.open(manifest(), path) as representations:
        passages = {b"k%d" % i: make(20) for i in range(3)}
        representations.put(passages)
        [record] = representations.store.get([b"k1"])
        flipped = record[:60] + bytes([record[60] ^ 4]) + record[61:]
        representations.store.put({b"k1": {"flipped": flipped, "truncated": record[:-1], "empty": b""}[damage]})
        with caplog.at_level(logging.WARNING):
            found = representations.get([b"k0", b"k1", b"k2"])
        assert_close(found[0], passages[b"k0"])
        assert found[1] is None
        assert_close(found[2], passages[b"k2"])
        assert b"k1".hex() in caplog.text
        assert sorted(representations.keys()) == [b"k0", b"k2"]


def test_damaged_record_in_a_store_that_is_only_read(folder, make):
    with (
        Representations.open(manifest(), folder) as writer,
        Representations.open(manifest(), folder, read_only=True) as reader,
    ):
        writer.put({b"a": make(5)})
        writer.store.put({b"a": b"nonsense"})
        assert reader.get([b"a"]) == [None]
        assert reader.contains([b"a"]) == [True]


def test_states_of_another_width(path, make):
    for codec in ("SQfp16", "SQ8"):
        with Representations.open(manifest(codec), path) as representations:
            with pytest.raises(ValueError, match=r"616161 have 8 values .* of 16"):
                representations.put({b"bbb": make(5), b"aaa": make(5, dimension=8)})
            assert list(representations.keys()) == []


def test_passage_without_tokens_has_no_width(path, make):
    with Representations.open(manifest("SQ8"), path) as representations:
        representations.put({b"a": PassageRepresentation([], np.zeros((0, 2)), np.zeros((0, 0))), b"b": make(1_000)})
        assert [found.n_tokens for found in representations.get([b"a", b"b"])] == [0, 1_000]


def test_many_damaged_records_are_one_warning(path, make, caplog):
    with Representations.open(manifest(), path) as representations:
        representations.store.put({b"%03d" % i: b"nonsense" for i in range(30)})
        assert representations.get([b"%03d" % i for i in range(30)]) == [None] * 30
        [record] = caplog.records
        assert "30 passage(s)" in record.getMessage()
        assert list(representations.keys()) == []


def test_folder_given_relative_to_where_the_process_was(tmp_path, make, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with Representations.open(manifest("SQ8"), "states") as representations:
        monkeypatch.chdir("elsewhere")
        representations.put({b"a": make(1_000)})
        assert representations.get([b"a"])[0].n_tokens == 1_000
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_prune(path, make):
    with Representations.open(manifest(), path) as representations:
        keys = [representations.key(str(i)) for i in range(30)]
        representations.put({key: make(3) for key in keys})
        assert representations.prune(set(keys[:5]) | {b"never there"}) == 25
        assert sorted(representations.keys()) == sorted(keys[:5])
        assert representations.prune(set()) == 5
        representations.compact()
        assert representations.statistics().count == 0


def test_describe(path, make):
    with Representations.open(manifest(), path) as representations:
        assert representations.describe()["bytes_per_passage"] == 0
        representations.put({b"a": make(10), b"b": make(10)})
        described = representations.describe()
        assert (described["count"], described["model"], described["codec"]) == (2, "mini", "SQfp16")
        assert 10 * 40 <= described["bytes_per_passage"] < 10 * 40 + 100
        assert described["bytes"] >= 2 * described["bytes_per_passage"]
        assert described["backend"] == ("lmdb" if path else "memory")
        assert described["path"] == (str(representations.path) if path else None)
        assert described["others"] == []
        json.dumps(described)


def test_other_states_are_named_kept_and_not_served(folder, make, caplog):
    passage = make(50)
    with Representations.open(manifest(), folder) as representations:
        representations.put({b"a": passage})
    assert not caplog.records
    other = RepresentationManifest("cd" * 16, "SQ8", 16, "maxi", {"lower_layers": 9})
    with Representations.open(other, folder) as representations:
        [record] = caplog.records
        assert record.levelname == "WARNING"
        for part in (
            "codec: 'SQfp16' there, 'SQ8' here",
            "model: 'mini' there, 'maxi' here",
            "lower_layers: 4 there, 9",
        ):
            assert part in record.getMessage()
        assert representations.get([b"a"]) == [None]
        representations.put({b"b": make(1_000)})
        [described] = representations.describe()["others"]
        assert (described["model"], described["codec"]) == ("mini", "SQfp16")
    caplog.clear()
    with Representations.open(other, folder) as again, Representations.open(manifest(), folder) as first:
        assert not caplog.records
        assert again.contains([b"a", b"b"]) == [False, True]
        assert first.contains([b"a", b"b"]) == [True, False]
        assert_close(first.get([b"a"])[0], passage)


@pytest.mark.parametrize("how", ["later", "unreadable", "missing"])
def test_states_of_another_release_are_named_kept_and_not_served(folder, make, caplog, how):
    with Representations.open(manifest(), folder) as representations:
        representations.put({b"a": make(50)})
        old = representations.path
    file = old / "manifest.json"
    if how == "later":
        file.write_text(json.dumps({**json.loads(file.read_text()), "format_version": 99}))
    else:
        file.write_text("{") if how == "unreadable" else file.unlink()
    before = sorted(p.name for p in old.rglob("*"))
    with Representations.open(manifest(), folder) as representations:
        [record] = caplog.records
        assert old.name in record.getMessage()
        assert {"later": "format_version: 99 there, 1 here", "unreadable": "damaged", "missing": "cannot be read"}[
            how
        ] in record.getMessage()
        assert representations.get([b"a"]) == [None]
        representations.put({b"b": make(5)})
        representations.compact()
    assert sorted(p.name for p in old.rglob("*")) == before


def test_reading_what_is_not_there(folder, make):
    with pytest.raises(RepresentationStoreError, match="holds no states of mini"):
        Representations.open(manifest(), folder, read_only=True)
    assert not folder.exists()


def test_path_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below", str(tmp_path / "file")):
        with pytest.raises(RepresentationStoreError, match="file where a folder is expected"):
            Representations.open(manifest(), path)
    assert (tmp_path / "file").read_text() == "mine"


def test_codec_that_faiss_does_not_know(folder):
    with pytest.raises(ValueError, match=r"'SQ5'.*SQfp16"):
        Representations.open(manifest("SQ5"), folder)
    assert not folder.exists()


def test_a_record_that_was_mended_meanwhile_stays(path, make, monkeypatch):
    passage = make(700)
    with Representations.open(manifest(), path) as one, Representations.open(manifest(), path) as other:
        one.put({b"a": passage, b"b": passage})
        [record] = one.store.get([b"a"])
        damaged = record[:-1] + bytes([record[-1] ^ 1])
        one.store.put({b"a": damaged, b"b": damaged})
        delete = one.store.delete

        def late(keys, **values):
            other.put({b"a": passage})
            return delete(keys, **values)

        monkeypatch.setattr(one.store, "delete", late)
        assert one.get([b"a", b"b"]) == [None, None]
        assert other.contains([b"a", b"b"]) == [True, False]
        assert_close(other.get([b"a"])[0], passage)
