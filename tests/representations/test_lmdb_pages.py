from __future__ import annotations

import random
import struct

import lmdb
import pytest

from haystack_deformer.representations import LmdbRepresentationStore, StoreCorruptError
from haystack_deformer.representations.lmdb_pages import check_data_file


def test_whole_files_pass_even_those_that_are_short(tmp_path):
    """LMDB does not write pages that a transaction took and gave up: such a file ends before its last page."""
    chance = random.Random(0)
    short = 0
    for round_ in range(25):
        folder = tmp_path / str(round_)
        keys: list[bytes] = []
        with lmdb.open(str(folder), map_size=1 << 27, sync=False) as env:
            for _ in range(25):
                with env.begin(write=True) as txn:
                    if not keys or chance.random() < 0.5:
                        new = [chance.randbytes(16) for _ in range(chance.randint(1, 300))]
                        for key in new:
                            txn.put(key, bytes(chance.choice([10, 1_000, 20_000])))
                        keys += new
                    else:
                        chance.shuffle(keys)
                        for key in keys[: (cut := chance.randint(1, len(keys)))]:
                            txn.delete(key)
                        keys = keys[cut:]
                file = folder / "data.mdb"
                check_data_file(file)
                short += file.stat().st_size < (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    assert short > 0


def test_every_truncation_that_loses_something_is_found(tmp_path):
    with lmdb.open(str(tmp_path), map_size=1 << 24) as env, env.begin(write=True) as txn:
        for i in range(400):
            txn.put(b"%03d" % i, bytes(3_000 if i % 3 else 100))
    file = tmp_path / "data.mdb"
    data = file.read_bytes()
    check_data_file(file)
    for size in range(1, len(data), 8_192):
        file.write_bytes(data[:size])
        with pytest.raises(StoreCorruptError):
            check_data_file(file)


def test_a_later_version_of_the_format_is_lmdbs_to_judge(tmp_path):
    """LMDB 1.0's pages have longer headers, behind which its magic stands."""
    file = tmp_path / "data.mdb"
    file.write_bytes(bytes(24) + struct.pack("=II", 0xBEEFC0DE, 3) + bytes(8_160))
    check_data_file(file)
    file.write_bytes(bytes(24) + struct.pack("=II", 0xBEEFC0DE, 1) + bytes(8_160))
    with pytest.raises(StoreCorruptError, match="not an LMDB file"):
        check_data_file(file)


def test_a_store_of_a_later_version(tmp_path):
    """As LMDB makes it where it is told to, by `LMDB_DEFAULT_LIB_VERSION` or its build."""
    (tmp_path / "gen-000001").mkdir()
    try:
        lmdb.open(str(tmp_path / "gen-000001"), lib_version=1).close()
    except (TypeError, lmdb.Error):
        pytest.skip("this LMDB makes no files of version 1.0")
    (tmp_path / "CURRENT").write_text("1\n")
    for value in (b"1", b"2"):
        with LmdbRepresentationStore(tmp_path) as store:
            store.put({value: bytes(10_000)})
    with LmdbRepresentationStore(tmp_path) as store:
        assert store.get([b"1", b"2", b"3"]) == [bytes(10_000), bytes(10_000), None]


def test_empty_file_is_lmdbs_to_fill(tmp_path):
    (tmp_path / "data.mdb").touch()
    check_data_file(tmp_path / "data.mdb")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        check_data_file(tmp_path / "data.mdb")
