"""Vectors out of FAISS: the last get the places of those that go, and what is taken back leaves all as it was."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest

from haystack_deformer.document_stores.repairs.removal import removal

ROWS = np.random.default_rng(0).standard_normal((20, 8)).astype("float32")
GONE = [{0}, {19}, {3, 4, 18, 19}, set(range(10)), set(range(5, 20)), set(range(20))]


@pytest.fixture(params=["Flat", "HNSW16", "IVF2,Flat"])
def index(request: pytest.FixtureRequest) -> Any:
    made = faiss.index_factory(8, request.param, faiss.METRIC_L2)
    made.train(ROWS)
    made.add(ROWS)
    if request.param.startswith("HNSW"):
        made.hnsw.efSearch = 64
    return made


def assert_holds(index: Any, rows: dict[int, np.ndarray]) -> None:
    """Nothing but these vectors, each in its place."""
    assert index.ntotal == len(rows)
    for place, row in rows.items():
        distances, places = index.search(row[None], 1)
        assert places.tolist() == [[place]]
        assert distances[0, 0] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("gone", GONE)
def test_the_last_get_the_free_places(index: Any, gone: set[int]) -> None:
    prepared = removal(index, gone)
    moves = prepared.moves
    with prepared.done():
        pass
    assert len(moves) <= len(gone)
    left = {moves.get(place, place): ROWS[place] for place in range(20) if place not in gone}
    assert set(left) == set(range(20 - len(gone)))
    assert_holds(index, left)


@pytest.mark.parametrize("gone", GONE)
def test_what_fails_is_taken_back(index: Any, gone: set[int]) -> None:
    def interrupted() -> None:
        with removal(index, gone).done():
            assert index.ntotal == 20 - len(gone)
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert_holds(index, dict(enumerate(ROWS)))


def test_one_after_the_other(index: Any) -> None:
    held = dict(enumerate(ROWS))
    for gone in ({2}, {0, 18}, {16, 5, 4}, {1}):
        prepared = removal(index, gone)
        with prepared.done():
            held = {prepared.moves.get(place, place): row for place, row in held.items() if place not in gone}
        assert_holds(index, held)
    index.add(ROWS[:1] + 9)
    assert_holds(index, {**held, len(held): ROWS[0] + 9})


def test_flat_kinds_that_were_saved(tmp_path: Any) -> None:
    for made in (faiss.IndexFlatIP(8), faiss.IndexFlatL2(8)):
        made.add(ROWS)
        faiss.write_index(made, str(tmp_path / "index"))
        read = faiss.read_index(str(tmp_path / "index"))
        with removal(read, {0}).done():
            pass
        assert np.array_equal(read.reconstruct_n(0, 19), np.concatenate([ROWS[19:], ROWS[1:19]]))


def test_an_index_that_cannot_give_its_vectors_back() -> None:
    mapped = faiss.IndexIDMap(faiss.IndexFlatL2(8))
    mapped.add_with_ids(ROWS, np.arange(20))
    with pytest.raises(RuntimeError):
        removal(mapped, {0})
    assert mapped.ntotal == 20
