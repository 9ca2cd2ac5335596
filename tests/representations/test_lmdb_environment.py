"""One environment for all stores of a process, which goes on whatever becomes of one of them."""

from __future__ import annotations

import errno
import gc
import threading

import lmdb
import pytest

from haystack_deformer.representations import LmdbRepresentationStore, RepresentationStoreError
from haystack_deformer.representations import lmdb_environment as environments


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


def test_goes_on_after_a_larger_map_had_no_room(path, monkeypatch):
    """LMDB closes an environment whose map it cannot make larger, as with `ulimit -v`."""
    store = LmdbRepresentationStore(path, map_size=1 << 20)
    store.put({b"first": b"1"})
    environment, _ = store._held
    real = environment._env

    class Full:
        def __getattr__(self, name):
            return getattr(real, name)

        def set_mapsize(self, _):
            real.close()
            error = lmdb.MemoryError()
            error.code = errno.ENOMEM
            raise error

    environment._env = Full()
    with pytest.raises(RepresentationStoreError, match="ulimit -v"):
        store.put({b"%d" % number: bytes(300_000) for number in range(10)})
    assert store.get([b"first", b"0"]) == [b"1", None]
    # nor could it be opened again: the next who asks tries it
    environment._env, opened = Full(), environments.SharedEnvironment._open
    real = opened(environment)
    monkeypatch.setattr(environments.SharedEnvironment, "_open", lambda _: Full().set_mapsize(0))
    with pytest.raises(RepresentationStoreError, match="ulimit -v"):
        store.put({b"%d" % number: bytes(300_000) for number in range(10)})
    monkeypatch.setattr(environments.SharedEnvironment, "_open", opened)
    assert store.get([b"first"]) == [b"1"]
    with LmdbRepresentationStore(path) as other:
        other.put({b"%d" % number: bytes(300_000) for number in range(10)})
    assert store.get([b"first", b"9"]) == [b"1", bytes(300_000)]
    store.close()


def test_the_last_store_is_collected_while_another_is_opened(path, monkeypatch):
    old = LmdbRepresentationStore(path)
    old.put({b"k": b"v"})
    cycle = [old]
    cycle.append(cycle)
    identity = environments._identity

    def collecting(file):
        gc.collect()
        return identity(file)

    monkeypatch.setattr(environments, "_identity", collecting)
    gc.disable()
    try:
        del old, cycle
        new = LmdbRepresentationStore(path)
    finally:
        gc.enable()
    assert new.get([b"k"]) == [b"v"]
    new.close()


def test_a_fork_whose_waiting_was_interrupted_leaves_the_store_usable(path, monkeypatch):
    """Python forks all the same."""
    with LmdbRepresentationStore(path) as store:
        store.put({b"a": b"1"})

        def interrupt(_):
            raise KeyboardInterrupt

        monkeypatch.setattr(environments.SharedEnvironment, "pause", interrupt)
        with pytest.raises(KeyboardInterrupt):
            environments.registry.before_fork()
        environments.registry.after_fork_in_parent()
        monkeypatch.undo()
        found = []
        reader = threading.Thread(target=lambda: found.append(store.get([b"a"])), daemon=True)
        reader.start()
        reader.join(30)
        assert found == [[b"1"]]
