"""What every store does, and that two of them do the same."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from haystack_deformer.representations import LmdbRepresentationStore, MemoryRepresentationStore, RepresentationStore


@pytest.fixture(params=["memory", "lmdb"])
def store(request, tmp_path) -> RepresentationStore:
    kind = MemoryRepresentationStore() if request.param == "memory" else LmdbRepresentationStore(tmp_path / "store")
    with kind:
        yield kind


def test_records_by_key(store):
    assert store.get([b"a"]) == [None]
    store.put({b"a": b"1", b"b": b""})
    assert store.get([b"b", b"nothing", b"a", b"b"]) == [b"", None, b"1", b""]
    assert store.contains([b"b", b"nothing"]) == [True, False]
    store.put({b"a": b"2"})
    assert store.get([b"a"]) == [b"2"]
    assert len(store) == 2


def test_records_where_they_lie(store):
    store.put({b"a": b"1" * 10_000, b"b": b""})
    assert store.read([b"b", b"nothing", b"a"], lambda found: [one and bytes(one[:3]) for one in found]) == [
        *(b"", None, b"111"),
    ]
    assert store.read([], len) == 0

    def fail(_):
        msg = "of what reads"
        raise ZeroDivisionError(msg)

    with pytest.raises(ZeroDivisionError, match="of what reads"):
        store.read([b"a"], fail)
    # nothing is held after an error: a write goes on
    store.put({b"a": b"2"})
    assert store.get([b"a"]) == [b"2"]


def test_delete_counts_what_was_there(store):
    store.put({bytes([i]): b"x" for i in range(5)})
    assert store.delete([b"\0", b"\1", b"\1", b"nothing"]) == 2
    assert list(store.keys()) == [b"\2", b"\3", b"\4"]


def test_delete_leaves_what_is_not_meant(store):
    store.put({b"a": b"1", b"b": b"2", b"c": b"1"})
    assert store.delete([b"c", b"a", b"b", b"b", b"nothing"], unless=lambda record: bytes(record) == b"1") == 1
    assert store.get([b"a", b"b", b"c"]) == [b"1", None, b"1"]


def test_nothing_at_all(store):
    store.put({})
    assert (store.prefetch([]), store.get([]), store.contains([]), store.delete([])) == (None, [], [], 0)
    assert (list(store.keys()), len(store), store.statistics().count) == ([], 0, 0)


@pytest.mark.parametrize("key", [b"", b"x" * 512, "text", None])
def test_keys_that_are_none(store, key):
    for call in (
        lambda: store.prefetch([key]),
        lambda: store.get([key]),
        lambda: store.read([key], len),
        lambda: store.contains([key]),
        lambda: store.delete([key]),
    ):
        with pytest.raises(ValueError, match="1 to 511"):
            call()
    with pytest.raises(ValueError, match="1 to 511"):
        store.put({b"good": b"x", key: b"x"})
    assert len(store) == 0


def test_longest_key(store):
    store.put({b"x" * 511: b"1"})
    assert list(store.keys()) == [b"x" * 511]


@pytest.mark.parametrize("record", [None, "text", 5])
def test_records_that_are_none(store, record):
    with pytest.raises(ValueError, match="must be bytes"):
        store.put({b"a": b"x", b"b": record})
    assert len(store) == 0


def test_writing_while_going_through_the_keys(store):
    keys = [i.to_bytes(2, "big") for i in range(2_500)]
    store.put(dict.fromkeys(keys, b"x"))
    seen = []
    for key in store.keys():  # noqa: SIM118
        seen.append(key)
        if len(seen) % 250 == 0:
            store.delete(seen[-250:])
    assert seen == keys
    assert len(store) == 0


def test_compaction_keeps_everything(store):
    store.put({bytes([i]): bytes([i]) * 10_000 for i in range(100)})
    store.delete([bytes([i]) for i in range(1, 100)])
    before = store.statistics()
    store.compact()
    after = store.statistics()
    assert (after.count, after.record_bytes) == (1, 10_000)
    assert after.disk_bytes < before.disk_bytes or after.disk_bytes == 0
    store.put({b"new": b"1"})
    assert store.get([b"\0", b"new"]) == [b"\0" * 10_000, b"1"]


def test_measuring_many(store):
    store.put({bytes([i]): b"x" * (900 + 2 * (i % 101)) for i in range(250)})
    measured = store.statistics()
    assert measured.count == len(store) == 250
    assert measured.record_bytes == pytest.approx(250 * 1_000, rel=0.02)


def test_threads(store):
    def work(n: int) -> None:
        keys = [b"%d-%d" % (n, i) for i in range(20)]
        for key in keys:
            store.put({key: key * 100, b"shared": b"%d" % n * 2})
            assert store.get([key]) == [key * 100]
            [shared] = store.get([b"shared"])
            assert shared is not None
            assert shared[: len(shared) // 2] == shared[len(shared) // 2 :]
        store.compact()
        assert store.delete(keys[:10]) == 10
        assert store.contains(keys) == [False] * 10 + [True] * 10

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert len(store) == 6 * 10 + 1


@pytest.mark.parametrize("seed", range(3))
def test_lmdb_does_what_memory_does(seed, tmp_path):
    chance = random.Random(seed)
    memory, disk = MemoryRepresentationStore(), LmdbRepresentationStore(tmp_path / "store", map_size=1 << 16)
    keys = [chance.randbytes(chance.choice([1, 16, 511])) for _ in range(60)]

    def both(call, *arguments):
        results = [call(store, *arguments) for store in (memory, disk)]
        assert results[0] == results[1]

    for _ in range(150):
        some = chance.choices(keys, k=chance.randint(0, 12))
        step = chance.random()
        if step < 0.45:
            records = {key: chance.randbytes(chance.choice([0, 5, 3_000, 60_000])) for key in some}
            both(lambda store, new: store.put(new), records)
        elif step < 0.65:
            both(lambda store, keys: store.delete(keys), some)
        elif step < 0.8:
            both(lambda store, keys: (store.get(keys), store.contains(keys)), some)
        elif step < 0.9:
            both(lambda store: (list(store.keys()), len(store), store.statistics().record_bytes))
        elif step < 0.95:
            both(lambda store: store.compact())
        else:
            disk.close()
            disk = LmdbRepresentationStore(tmp_path / "store")
    both(lambda store: store.get(list(store.keys())))
    disk.close()
