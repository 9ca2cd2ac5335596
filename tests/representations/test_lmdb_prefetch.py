"""Records found in the file without LMDB, as a hint to the system."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from haystack_deformer.benchmark.cold import drop_from_memory
from haystack_deformer.representations.errors import RepresentationStoreError
from haystack_deformer.representations.lmdb_prefetch import prefetch
from haystack_deformer.representations.lmdb_store import LmdbRepresentationStore
from tests.page_cache import resident_bytes

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the system takes no such hint")


def _store(folder: Path, records: dict[bytes, bytes]) -> Path:
    store = LmdbRepresentationStore(folder)
    keys = list(records)
    for first in range(0, len(keys), 1000):
        store.put({key: records[key] for key in keys[first : first + 1000]})
    store.close()
    (path,) = folder.rglob("data.mdb")
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Offset and length of what the system was asked for."""
    places: list[tuple[int, int]] = []

    def advise(_file: int, offset: int, length: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_WILLNEED
        places.append((offset, length))

    monkeypatch.setattr(os, "posix_fadvise", advise)
    return places


@pytest.mark.parametrize("count", [1, 2, 30, 4000])
def test_every_record_is_found(tmp_path: Path, asked: list[tuple[int, int]], count: int) -> None:
    records = {os.urandom(16): os.urandom(4) * 1200 for _ in range(count)}
    path = _store(tmp_path, records)
    data = path.read_bytes()
    keys = list(records)
    for first in range(0, count, 500):
        prefetch(path, keys[first : first + 500])
    assert len(asked) == count
    for (offset, length), record in zip(asked, records.values(), strict=True):
        assert record in data[offset : offset + length]
        assert length <= len(record) + 16


def test_missing_and_small_records_are_not_asked_for(tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    records = {bytes([number]) * 16: bytes(8 if number % 2 else 9000) for number in range(1, 200)}
    path = _store(tmp_path, records)
    prefetch(path, [b"\0" * 16, b"\xff" * 16, b"\x05" * 15 + b"\x06", *records])
    assert len(asked) == 99


def test_after_deletes_and_overwrites(tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    records = {os.urandom(16): os.urandom(4) * 1200 for _ in range(500)}
    path = _store(tmp_path, records)
    store = LmdbRepresentationStore(tmp_path)
    gone, *kept = records
    store.delete([gone])
    store.put({kept[0]: b"new!" * 3000})
    store.close()
    prefetch(path, [gone, kept[0], kept[1]])
    data = path.read_bytes()
    (first, first_length), (second, second_length) = asked
    assert b"new!" * 3000 in data[first : first + first_length]
    assert records[kept[1]] in data[second : second + second_length]


def test_the_store_asks_for_what_it_will_read(tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    store = LmdbRepresentationStore(tmp_path)
    store.put({b"a" * 16: bytes(9000), b"b" * 16: bytes(9000), b"c" * 16: bytes(9000)})
    store.prefetch([b"c" * 16, b"a" * 16])
    assert len(asked) == 2
    store.close()
    with pytest.raises(RepresentationStoreError, match="closed"):
        store.prefetch([b"a" * 16])


def test_records_come_into_memory_untouched(tmp_path: Path) -> None:
    records = {bytes([number]) * 16: os.urandom(200_000) for number in range(20)}
    path = _store(tmp_path, records)
    drop_from_memory(path)
    if resident_bytes(path) > 100_000:
        pytest.skip("the system keeps the file in memory")
    prefetch(path, list(records)[:10])
    deadline = time.monotonic() + 10
    while resident_bytes(path) < 2_000_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert resident_bytes(path) >= 2_000_000


@pytest.mark.parametrize("damage", [b"", b"no LMDB file", b"\xff" * 50_000], ids=["empty", "text", "ones"])
def test_a_hint_never_fails(tmp_path: Path, damage: bytes) -> None:
    prefetch(tmp_path / "missing", [b"k" * 16])
    path = _store(tmp_path / "store", {bytes([number]) * 16: bytes(9000) for number in range(100)})
    (tmp_path / "damaged").write_bytes(damage)
    prefetch(tmp_path / "damaged", [b"k" * 16])
    # the heads are whole and the pages are not
    (tmp_path / "cut").write_bytes(path.read_bytes()[: 2 * 4096] + damage)
    prefetch(tmp_path / "cut", [bytes([number]) * 16 for number in range(100)])


def test_a_place_that_no_file_has_is_passed_over(tmp_path: Path) -> None:
    key = b"one key, no more"
    path = _store(tmp_path / "store", {key: bytes(9000)})
    data = path.read_bytes()
    assert data.count(key) > 0
    for number in (2**51, 2**60, 2**64 - 1):
        damaged = data
        for piece in data.split(key)[1:]:
            damaged = damaged.replace(key + piece[:8], key + number.to_bytes(8, "little"))
        (tmp_path / "damaged").write_bytes(damaged)
        prefetch(tmp_path / "damaged", [key])


def test_long_records_are_asked_for_in_parts(tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    record = os.urandom(300_000)
    path = _store(tmp_path, {b"k" * 16: record})
    prefetch(path, [b"k" * 16])
    data = path.read_bytes()
    assert len(asked) == 3
    assert record in b"".join(data[offset : offset + length] for offset, length in asked)
    assert all(length <= 131_072 for _, length in asked)


@pytest.mark.parametrize("count", [0, 1001])
def test_no_keys_and_very_many_are_not_looked_for(tmp_path: Path, asked: list[tuple[int, int]], count: int) -> None:
    path = _store(tmp_path, {b"k" * 16: bytes(9000)})
    prefetch(path, [b"k" * 16] * count)
    assert asked == []
