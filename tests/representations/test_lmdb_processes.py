"""What only happens with several processes, or with one that dies."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest

from haystack_deformer.representations import LmdbRepresentationStore
from tests.representations.scripts import record


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


def test_readers_and_a_writer(path, run, finish):
    LmdbRepresentationStore(path).close()
    writer = run(
        """
with LmdbRepresentationStore(sys.argv[1], map_size=1 << 16) as store:
    for n in range(120):
        store.put({b"latest": record(n), b"twin": record(n), b"%d" % n: record(n)})
""",
        path,
    )
    reader = """
with LmdbRepresentationStore(sys.argv[1], read_only=True) as store:
    last, seen = 0, set()
    while last < 119:
        latest, twin = store.get([b"latest", b"twin"])
        assert latest == twin, "a batch is read from one state of the store"
        if latest:
            now = int(latest.split(None, 1)[0])
            assert latest == record(now) and now >= last
            assert None not in store.get([b"%d" % n for n in range(now + 1)])
            last = now
            seen.add(now)
    print(len(seen))
"""
    readers = [run(reader, path) for _ in range(2)]
    finish(writer)
    assert max(int(finish(r)) for r in readers) > 1


def test_several_processes_make_and_write_one_store(path, run, finish):
    script = """
with LmdbRepresentationStore(sys.argv[1], map_size=1 << 16) as store:
    for n in range(int(sys.argv[2]), 60, 3):
        store.put({b"%d" % n: record(n)})
"""
    for process in [run(script, path, i) for i in range(3)]:
        finish(process)
    with LmdbRepresentationStore(path) as store:
        assert store.get([b"%d" % n for n in range(60)]) == [record(n) for n in range(60)]


def test_map_grown_by_another_process(path, run, finish):
    with LmdbRepresentationStore(path, map_size=1 << 16) as store:
        store.put({b"mine": b"1"})
        finish(run("LmdbRepresentationStore(sys.argv[1], 1 << 16).put({b'theirs': bytes(900_000)})", path))
        assert store.get([b"theirs"]) == [bytes(900_000)]
        finish(run("LmdbRepresentationStore(sys.argv[1], 1 << 16).put({b'more': bytes(9_000_000)})", path))
        store.put({b"mine": b"2"})
        assert len(store) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="no lock of files")
def test_a_writer_that_waits_for_another_process_keeps_no_reader_waiting(path, run, finish):
    """Not even where the other has made the file larger, for which a reader has to be alone in its process."""
    with LmdbRepresentationStore(path, map_size=1 << 16) as store:
        store.put({b"mine": b"1"})
        other = run(
            """
store = LmdbRepresentationStore(sys.argv[1], 1 << 16)
store.put({b"theirs": bytes(900_000)})
store._write(lambda *_: (print("locked", flush=True), sys.stdin.readline()))
""",
            path,
        )
        assert other.stdout.readline() == "locked\n"
        writer = threading.Thread(target=store.put, args=({b"mine": b"2"},), daemon=True)
        writer.start()
        writer.join(0.5)
        assert writer.is_alive()
        found = []
        reader = threading.Thread(target=lambda: found.extend(store.get([b"mine", b"theirs"])), daemon=True)
        reader.start()
        reader.join(30)
        assert found == [b"1", bytes(900_000)]
        other.stdin.write("\n")
        other.stdin.flush()
        finish(other)
        writer.join(30)
        assert store.get([b"mine"]) == [b"2"]


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_fork(path, run, finish):
    out = finish(
        run(
            """
import threading
store = LmdbRepresentationStore(sys.argv[1])
store.put({b"before": b"1"})
keys = store.keys(); next(keys)
stop = threading.Event()
def read():
    while not stop.is_set():
        assert store.get([b"before"]) == [b"1"]
thread = threading.Thread(target=read); thread.start()
children = []
for n in range(5):
    pid = os.fork()
    if pid == 0:
        try:
            assert store.get([b"before"]) == [b"1"]
            store.put({b"child-%d" % n: b"2"})
            store.close()
            os._exit(0)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
    children.append(pid)
    store.put({b"parent-%d" % n: b"3"})
codes = [os.waitpid(pid, 0)[1] for pid in children]
stop.set(); thread.join()
assert codes == [0] * 5, codes
store.put({b"after": b"4"})
print(sorted(store.keys()))
""",
            path,
        )
    )
    names = [b"before", b"after", *(b"child-%d" % n for n in range(5)), *(b"parent-%d" % n for n in range(5))]
    assert out.strip() == str(sorted(names))


def test_reader_keeps_its_slot_when_its_process_forks(path, run, finish):
    """A child that closes what it inherited must not free the pages that its parent is reading."""
    finish(
        run(
            """
import threading
from haystack_deformer.representations.lmdb_environment import registry
store = LmdbRepresentationStore(sys.argv[1])
store.put({b"a": b"1"})
[environment] = registry._environments.values()
inside, leave = threading.Event(), threading.Event()
def read():
    with environment.transaction() as txn:
        inside.set(); leave.wait()
        time.sleep(0.3)
        assert environment._env.readers().count(str(os.getpid())) == 1
        print("read to the end", flush=True)
thread = threading.Thread(target=read); thread.start()
inside.wait(); leave.set()
if os.fork() == 0:
    store.get([b"a"]); store.close()
    os._exit(0)
os.wait(); thread.join()
""",
            path,
        )
    )


@pytest.mark.parametrize("pause", [0.05, 0.2, 0.4])
def test_kill_in_the_middle_of_writing(path, run, pause):
    writer = run(
        """
store = LmdbRepresentationStore(sys.argv[1], map_size=1 << 20)
for n in range(100_000):
    store.put({b"%d-%d" % (n, i): record(n) for i in range(10)})
    print(n, flush=True)
""",
        path,
    )
    assert writer.stdout.readline() == "0\n"
    time.sleep(pause)
    writer.kill()
    acknowledged = [0, *map(int, writer.stdout.read().split())][-1]
    with LmdbRepresentationStore(path) as store:
        for n in range(acknowledged + 1):
            assert store.get([b"%d-%d" % (n, i) for i in range(10)]) == [record(n)] * 10
        # the batch under way is there whole or not at all
        assert len(store) in ((acknowledged + 1) * 10, (acknowledged + 2) * 10)
        store.put({b"after": b"1"})
        store.compact()
        assert store.get([b"after", b"0-0"]) == [b"1", record(0)]


def test_killed_readers_do_not_keep_their_slots(path, run):
    LmdbRepresentationStore(path).close()
    hold = """
from haystack_deformer.representations.lmdb_environment import registry
store = LmdbRepresentationStore(sys.argv[1], read_only=True)
[environment] = registry._environments.values()
with environment.transaction() as txn:
    print("reading", flush=True)
    sys.stdin.readline()
"""
    # the first of all to open the store would begin with an empty table of readers: someone must be there before
    keeper, killed = run(hold, path), run(hold, path)
    for process in (keeper, killed):
        assert process.stdout.readline() == "reading\n"
    killed.kill()
    killed.wait()
    # other tests' stores may still be open in this process
    with LmdbRepresentationStore(path) as store, store._borrowed() as (environment, _):
        readers = environment._env.readers().split()
        assert str(keeper.pid) in readers
        assert str(killed.pid) not in readers
        store.put({b"a": b"1"})


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on the size of files")
def test_full_disk(path, run, finish):
    """A limit on the size of files stands in for the disk: writes stop half-way, as on one that fills up."""
    out = finish(
        run(
            """
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = LmdbRepresentationStore(sys.argv[1], map_size=1 << 16)
store.put({b"early": record(1)})
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
n = 0
try:
    while True:
        store.put({b"%d" % n: bytes(50_000), b"twin-%d" % n: bytes(50_000)})
        n += 1
except StoreFullError as error:
    assert sys.argv[1] in str(error) and "Free some space" in str(error), error
assert 2 < n < 12, n
expected = sorted([b"early", *(b"%d" % i for i in range(n)), *(b"twin-%d" % i for i in range(n))])
assert list(store.keys()) == expected
try:
    store.put({b"big": bytes(2_000_000)})
except StoreFullError:
    pass
assert store.get([b"early", b"big"]) == [record(1), None]
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    store.compact()
except StoreFullError as error:
    print("compaction refused")
assert list(store.keys()) == expected
assert sorted(p for p in os.listdir(sys.argv[1]) if p.startswith("gen-")) == ["gen-000001"]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.put({b"late": record(2)})
store.compact()
assert store.get([b"early", b"late", b"0"]) == [record(1), record(2), bytes(50_000)]
print(len(store))
""",
            path,
        )
    )
    assert out.startswith("compaction refused\n")
    with LmdbRepresentationStore(path) as store:
        assert len(store) == int(out.split()[-1])
