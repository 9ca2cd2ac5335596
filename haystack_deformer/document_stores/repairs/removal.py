"""Vectors out of a FAISS index: the last ones get the places that become free, so that few change their number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import faiss
import numpy as np

_FLAT = (faiss.IndexFlat, faiss.IndexFlatIP, faiss.IndexFlatL2)
"""These hold plain vectors in a row; kinds that derive from them order the numbers of a vector otherwise."""


def removal(vectors: Any, gone: set[int]) -> Removal:
    """
    Prepare to remove vectors, by the way that their index allows.

    :param vectors: the index.
    :param gone: their places, each one in the index.
    :raises RuntimeError: where the index cannot give its vectors back; it is as it was then.
    """
    kind = _RemovalInPlace if type(faiss.downcast_index(vectors)) in _FLAT else _RemovalByFilling
    return kind(vectors, gone)


class Removal(ABC):
    """
    A removal that can be taken back.

    :param vectors: the index.
    :param gone: places of those that go.
    """

    def __init__(self, vectors: Any, gone: set[int]) -> None:
        self._vectors = vectors
        self._left = vectors.ntotal - len(gone)
        places = np.array(sorted(gone), dtype="int64")
        self._free = places[places < self._left]
        self._last = np.setdiff1d(np.arange(self._left, vectors.ntotal), places)

    @property
    def moves(self) -> dict[int, int]:
        """The new places, by the old ones, of the vectors that change theirs."""
        return dict(zip(self._last.tolist(), self._free.tolist(), strict=True))

    @contextmanager
    def done(self) -> Iterator[None]:
        """Remove the vectors; where the block fails, the index is as it was."""
        try:
            self._take_out()
            yield
        except BaseException:
            self._put_back()
            raise

    @abstractmethod
    def _take_out(self) -> None:
        """Remove the vectors."""

    @abstractmethod
    def _put_back(self) -> None:
        """Undo that, however much of it was done."""


class _RemovalInPlace(Removal):
    """In the memory that the index has: nothing is computed or asked of the machine that could fail half-way."""

    def __init__(self, vectors: Any, gone: set[int]) -> None:
        super().__init__(vectors, gone)
        rows = self._rows()
        self._replaced = rows[self._free]
        self._cut_off = rows[self._left :].copy()

    def _rows(self) -> np.ndarray:
        """The index's own memory, which moves when vectors are added."""
        index: Any = faiss.downcast_index(self._vectors)
        return faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)

    def _take_out(self) -> None:
        rows = self._rows()
        rows[self._free] = rows[self._last]
        self._vectors.remove_ids(faiss.IDSelectorRange(self._left, self._vectors.ntotal))

    def _put_back(self) -> None:
        if self._vectors.ntotal == self._left:
            self._vectors.add(self._cut_off)
        self._rows()[self._free] = self._replaced


class _RemovalByFilling(Removal):
    """The other kinds cannot remove, or leave gaps: they are filled anew with what remains."""

    def __init__(self, vectors: Any, gone: set[int]) -> None:
        super().__init__(vectors, gone)
        self._rows = _all_vectors(vectors)
        self._replaced = self._rows[self._free]

    def _take_out(self) -> None:
        self._rows[self._free] = self._rows[self._last]
        self._fill(self._rows[: self._left])

    def _put_back(self) -> None:
        self._rows[self._free] = self._replaced
        self._fill(self._rows)

    def _fill(self, rows: np.ndarray) -> None:
        self._vectors.reset()
        if len(rows):
            self._vectors.add(rows)


def _all_vectors(vectors: Any) -> np.ndarray:
    inverted = faiss.try_extract_index_ivf(vectors)
    if inverted is not None:
        inverted.make_direct_map()
    # one by itself raises what many, which faiss takes out in threads, end the process with
    vectors.reconstruct(0)
    return vectors.reconstruct_n(0, vectors.ntotal)
