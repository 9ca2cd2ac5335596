"""A store written small while other processes write to it, read it, or die."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from haystack_deformer.representations import LmdbRepresentationStore
from tests.representations.scripts import record


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


def test_compaction_loses_no_write_of_another_process(path, run, finish):
    writer = """
store = LmdbRepresentationStore(sys.argv[1], map_size=1 << 16)
print("ready", flush=True)
n = 0
while not os.path.exists(sys.argv[3]):
    store.put({b"%s-%d" % (sys.argv[2].encode(), n): record(n)})
    n += 1
    assert store.contains([b"%s-%d" % (sys.argv[2].encode(), i) for i in range(n)]) == [True] * n
print(n)
"""
    stop = path.parent / "stop"
    writers = {name: run(writer, path, name, stop) for name in ("a", "b")}
    with LmdbRepresentationStore(path) as store:
        for process in writers.values():
            assert process.stdout.readline() == "ready\n"
        for _ in range(8):
            store.compact()
            time.sleep(0.1)  # the write lock is not a fair one
        stop.touch()
        counts = {name: int(finish(process)) for name, process in writers.items()}
        assert len(store) == sum(counts.values()) > 0
        for name, count in counts.items():
            assert store.get([b"%s-%d" % (name.encode(), n) for n in range(count)]) == [record(n) for n in range(count)]
        assert [p.name for p in path.glob("gen-*")] == ["gen-000009"]


@pytest.mark.parametrize("place", ["switch", "remove_older"])
def test_kill_in_the_middle_of_a_compaction(path, run, place):
    with LmdbRepresentationStore(path) as store:
        store.put({b"%d" % n: record(n) for n in range(20)})
        process = run(
            """
from haystack_deformer.representations.generations import Generations
store = LmdbRepresentationStore(sys.argv[1])
setattr(Generations, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
store.compact()
""",
            path,
            place,
        )
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert len(list(path.glob("gen-*"))) == 2
        store.put({b"after": b"1"})
        assert store.get([b"7", b"after"]) == [record(7), b"1"]
    with LmdbRepresentationStore(path) as store:
        assert len(store) == 21
        store.compact()
        assert len(list(path.glob("gen-*"))) == 1
        assert len(store) == 21


@pytest.mark.skipif(os.name != "posix", reason="needs a mapped file that can be removed")
def test_reader_of_a_removed_generation_goes_on(path, run, finish):
    with LmdbRepresentationStore(path, read_only=False) as store:
        store.put({b"%d" % n: b"x" for n in range(2_000)})
        keys = store.keys()
        assert next(keys) == b"0"
        finish(run("store = LmdbRepresentationStore(sys.argv[1]); store.put({b'~': b'1'}); store.compact()", path))
        assert len(list(keys)) == 2_000
        assert store.get([b"~"]) == [b"1"]


def test_an_older_generation_that_cannot_be_removed_yet(path, monkeypatch):
    """On Windows a file that another process has open stays."""

    unlink = Path.unlink

    def refuse(self, missing_ok=False):
        if self.name == "data.mdb":
            raise PermissionError(self)
        unlink(self, missing_ok)

    with LmdbRepresentationStore(path) as store:
        store.put({b"1": b"x"})
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", refuse)
            store.compact()
        assert store.get([b"1"]) == [b"x"]
    with LmdbRepresentationStore(path) as store:
        assert store.get([b"1"]) == [b"x"]
