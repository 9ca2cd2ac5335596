from __future__ import annotations

import gc
import os
import shutil
import threading

import lmdb
import pytest

from haystack_deformer.representations import (
    LmdbRepresentationStore,
    RepresentationStoreError,
    StoreCorruptError,
    StoreReadOnlyError,
)
from haystack_deformer.representations import lmdb_environment as environments
from haystack_deformer.representations.lmdb_errors import lmdb_errors


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "store"


def data_file(path):
    [file] = path.glob("gen-*/data.mdb")
    return file


def test_outlives_its_process_object(path):
    with LmdbRepresentationStore(path) as store:
        store.put({b"a": b"1"})
    with LmdbRepresentationStore(path) as store:
        assert store.get([b"a"]) == [b"1"]


def test_opened_twice_in_a_process(path):
    first, second = LmdbRepresentationStore(path), LmdbRepresentationStore(str(path))
    first.put({b"a": b"1"})
    assert second.get([b"a"]) == [b"1"]
    first.close()
    second.put({b"b": b"2"})
    assert second.get([b"a", b"b"]) == [b"1", b"2"]
    second.close()


def test_opened_twice_through_a_link(path, tmp_path):
    with LmdbRepresentationStore(path) as first:
        (tmp_path / "link").symlink_to(path)
        with LmdbRepresentationStore(tmp_path / "link") as second:
            second.put({b"a": b"1"})
            assert first.get([b"a"]) == [b"1"]


def test_removed_and_made_anew_while_it_was_open(path):
    """As a notebook does that keeps the old store: no record is written into the file that is gone."""
    old = LmdbRepresentationStore(path)
    old.put({b"a": b"1"})
    shutil.rmtree(path)
    with pytest.raises(RepresentationStoreError, match="was removed"):
        old.put({b"b": b"2"})
    with LmdbRepresentationStore(path) as new:
        assert new.get([b"a"]) == [None]
        new.put({b"c": b"3"})
        for use in (lambda: old.put({b"b": b"2"}), lambda: old.get([b"a"])):
            with pytest.raises(RepresentationStoreError, match="removed or replaced while it was open: open it again"):
                use()
        old.close()
        assert new.get([b"c"]) == [b"3"]
    with LmdbRepresentationStore(path) as again:
        assert list(again.keys()) == [b"c"]


def test_a_forgotten_store_is_closed(path):
    LmdbRepresentationStore(path).put({b"a": b"1"})
    gc.collect()
    assert not any(str(path) in name for name in environments.registry._environments)


def test_closed(path):
    store = LmdbRepresentationStore(path)
    store.close()
    store.close()
    with pytest.raises(RepresentationStoreError, match="was closed"):
        store.get([b"a"])
    with pytest.raises(RepresentationStoreError, match="was closed"):
        store.put({b"a": b"1"})


def test_map_grows_and_says_nothing(path):
    with LmdbRepresentationStore(path, map_size=1 << 16) as store:
        store.put({bytes([i]): bytes(200_000) for i in range(20)})
        store.put({b"more": bytes(5_000_000)})
        assert len(store) == 21
        assert store.get([b"\7", b"more"]) == [bytes(200_000), bytes(5_000_000)]


def test_map_grows_under_reading_threads(path):
    with LmdbRepresentationStore(path, map_size=1 << 16) as store:
        store.put({b"a": b"x" * 5_000})
        stop, wrong = threading.Event(), []

        def read() -> None:
            while not stop.is_set():
                if store.get([b"a"]) != [b"x" * 5_000]:
                    wrong.append(1)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for i in range(40):
            store.put({b"%d" % i: bytes(100_000)})
        stop.set()
        for thread in threads:
            thread.join(10)
        assert not wrong
        assert len(store) == 41


def test_path_is_a_file(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for path in (file, file / "below"):
        with pytest.raises(RepresentationStoreError, match="file where a folder is expected"):
            LmdbRepresentationStore(path)
    assert file.read_text() == "mine"


def test_nothing_to_read(path):
    with pytest.raises(RepresentationStoreError, match="no store of representations"):
        LmdbRepresentationStore(path, read_only=True)
    assert not path.exists()


def test_read_only(path):
    with LmdbRepresentationStore(path) as writer, LmdbRepresentationStore(path, read_only=True) as reader:
        writer.put({b"a": b"1"})
        assert reader.get([b"a"]) == [b"1"]
        for change in (lambda: reader.put({b"b": b"2"}), lambda: reader.delete([b"a"]), reader.compact):
            with pytest.raises(StoreReadOnlyError, match="read_only"):
                change()
        assert list(writer.keys()) == [b"a"]


def test_folder_that_can_only_be_read(path, monkeypatch):
    with LmdbRepresentationStore(path) as store:
        store.put({b"a": b"1"})
    # as root, permission bits do not bind: LMDB is told by the same question that this process asks
    monkeypatch.setattr(environments.os, "access", lambda path, mode: not mode & os.W_OK)
    with LmdbRepresentationStore(path) as store:
        assert store.get([b"a"]) == [b"1"]
        with pytest.raises(StoreReadOnlyError, match="may not write"):
            store.put({b"b": b"2"})
    monkeypatch.undo()
    with LmdbRepresentationStore(path) as store:
        store.put({b"b": b"2"})
        assert len(store) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="permission bits do not bind root")
def test_folder_that_cannot_be_made(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RepresentationStoreError, match="cannot be written to"):
        LmdbRepresentationStore(tmp_path / "store")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_data_file(path, share):
    with LmdbRepresentationStore(path) as store:
        for i in range(50):
            store.put({b"%d" % i: bytes(9_000)})
    file = data_file(path)
    os.truncate(file, int(file.stat().st_size * share))
    size = file.stat().st_size
    for read_only in (False, True):
        with pytest.raises(StoreCorruptError, match=r"is truncated.*index again") as error:
            LmdbRepresentationStore(path, read_only=read_only)
        assert str(file) in str(error.value)
    assert file.stat().st_size == size


def test_file_that_is_not_lmdbs(path):
    LmdbRepresentationStore(path).close()
    data_file(path).write_bytes(b"not a database" * 1_000)
    with pytest.raises(StoreCorruptError, match="not an LMDB file"):
        LmdbRepresentationStore(path)


@pytest.mark.parametrize("text", ["", "one", "-1\n", "1", "1\n1\n"])
def test_damaged_current(path, text):
    with LmdbRepresentationStore(path) as store:
        store.put({b"a": b"1"})
    (path / "CURRENT").write_text(text)
    with pytest.raises(StoreCorruptError, match="CURRENT is damaged"):
        LmdbRepresentationStore(path)
    (path / "CURRENT").write_text("1\n")
    with LmdbRepresentationStore(path) as store:
        assert store.get([b"a"]) == [b"1"]


def test_lost_current(path):
    with LmdbRepresentationStore(path) as store:
        store.put({b"a": b"1"})
    (path / "CURRENT").unlink()
    with LmdbRepresentationStore(path) as store:
        assert store.get([b"a"]) == [b"1"]
        store.compact()
    (path / "CURRENT").unlink()
    with pytest.raises(StoreCorruptError, match=r"CURRENT is missing though.*\[2\]"):
        LmdbRepresentationStore(path)


def test_lost_generation(path):
    LmdbRepresentationStore(path).close()
    data_file(path).unlink()
    with pytest.raises(StoreCorruptError, match="gen-000001 is missing"):
        LmdbRepresentationStore(path)


def test_compaction_makes_files_smaller_and_removes_the_old_ones(path):
    with LmdbRepresentationStore(path) as store, LmdbRepresentationStore(path) as other:
        store.put({bytes([i]): bytes(50_000) for i in range(40)})
        store.delete([bytes([i]) for i in range(39)])
        store.compact()
        assert [p.name for p in path.glob("gen-*")] == ["gen-000002"]
        assert data_file(path).stat().st_size < 200_000
        assert list(other.keys()) == [bytes([39])]
        other.put({b"other": b"1"})
        assert store.get([b"other"]) == [b"1"]


def test_environment_that_lmdb_gave_up_is_opened_anew(path, monkeypatch):
    with LmdbRepresentationStore(path) as store, LmdbRepresentationStore(path) as other:
        store.put({b"a": b"1"})
        begin = environments.SharedEnvironment._begin
        before, what = store._held[0]._env, "mdb_txn_begin"

        def panic(self, write, buffers):
            if write:
                raise lmdb.PanicError(what)
            return begin(self, write, buffers)

        monkeypatch.setattr(environments.SharedEnvironment, "_begin", panic)
        with pytest.raises(RepresentationStoreError, match="cannot be used"):
            store.put({b"b": b"2"})
        monkeypatch.undo()
        assert store._held[0]._env is not before
        other.put({b"c": b"3"})
        assert list(store.keys()) == [b"a", b"c"]


def test_leftovers_of_a_crash_are_cleaned(path):
    with LmdbRepresentationStore(path) as store:
        store.put({b"a": b"1"})
        store.compact()
    for number in (1, 3):
        (path / f"gen-{number:06}").mkdir()
        (path / f"gen-{number:06}" / "data.mdb").write_bytes(b"half a copy")
    with LmdbRepresentationStore(path) as store:
        assert store.get([b"a"]) == [b"1"]
        assert sorted(p.name for p in path.glob("gen-*")) == ["gen-000002", "gen-000003"]
        store.put({b"b": b"2"})
        assert [p.name for p in path.glob("gen-*")] == ["gen-000002"]
        store.compact()
    with LmdbRepresentationStore(path) as store:
        assert store.get([b"a", b"b"]) == [b"1", b"2"]


def test_a_process_of_the_same_number_in_another_container_is_told(tmp_path):
    """LMDB's own words are of a resource that is temporarily unavailable."""
    with (
        pytest.raises(
            RepresentationStoreError, match=rf"in another container, .* number, {os.getpid()}: .*docker's --pid"
        ),
        lmdb_errors(tmp_path),
    ):
        raise lmdb.LockError


@pytest.mark.parametrize("step", ["check_data_file", "write_first", "open"])
def test_a_generation_that_goes_while_it_is_opened(path, monkeypatch, step):
    """By a compaction in another process, at any step."""
    with LmdbRepresentationStore(path) as store:
        store.put({b"a": b"1"})
    if step == "write_first":
        (path / "gen-000001" / "lock.mdb").unlink()
    where = lmdb if step == "open" else environments
    real, gone = getattr(where, step), []

    def compact_first(*arguments, **options):
        if not gone:
            gone.append(step)
            shutil.copytree(path / "gen-000001", path / "gen-000002")
            (path / "CURRENT").write_text((path / "CURRENT").read_text().replace("1", "2"))
            shutil.rmtree(path / "gen-000001")
        return real(*arguments, **options)

    monkeypatch.setattr(where, step, compact_first)
    with LmdbRepresentationStore(path) as store:
        assert store.get([b"a"]) == [b"1"]
    assert gone == [step]
