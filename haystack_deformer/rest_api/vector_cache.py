"""Vectors of documents on disk, so that a server that starts again does not embed its whole corpus once more."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
from haystack.nodes import DenseRetriever
from haystack.schema import Document

from haystack_deformer.document_stores.reference import REPRESENTATION_META_KEY
from haystack_deformer.representations import LmdbRepresentationStore, RepresentationStoreError

logger = logging.getLogger(__name__)

_PROBES = {
    b"probe": Document(content="The river Seine flows through Paris."),
    # longer than any window: it shows where the retriever cuts texts off
    b"probe of a long text": Document(
        content=" ".join(f"The river Seine flows by town {number}." for number in range(200))
    ),
}
_TOLERANCE = 1e-3
"""Between vectors of one text by one model, whose batches differ; another model's differ by more."""
_REMOVED_AT_ONCE = 1_000
_STORES_OWN = {"vector_id", REPRESENTATION_META_KEY}
"""Of the meta what a store adds to it."""


class VectorCache:
    """
    Stands before a retriever's `embed_documents`: what it has embedded once it does not embed again.

    Whether the retriever still makes the same vectors is asked once, when the cache is opened, with two texts whose
    vectors are kept beside them; where it does not, all of them go.

    :param folder: made where it does not exist.
    :param retriever: whose method is replaced, for this instance alone.
    :raises RepresentationStoreError: where the folder is a file, or cannot be read.
    """

    def __init__(self, folder: Path, retriever: DenseRetriever) -> None:
        self._store = LmdbRepresentationStore(folder)
        self._compute: Callable[[list[Document]], npt.NDArray[np.float32]] = retriever.embed_documents
        # None: the retriever does not say which, as DensePassageRetriever, which embeds the name
        self._meta_fields: list[str] | None = getattr(retriever, "embed_meta_fields", None)
        self._check_probe()
        retriever.embed_documents = self.embed_documents

    def embed_documents(self, documents: list[Document]) -> npt.NDArray[np.float32]:
        """
        The vectors of documents, computed where they are not there yet.

        :param documents: of any kind that the retriever takes.
        :return: (documents, embedding_dim).
        """
        keys = [self._key(document) for document in documents]
        vectors = self._read(keys)
        missing = {key: document for key, document in zip(keys, documents, strict=True) if key not in vectors}
        if missing:
            made = np.asarray(self._compute(list(missing.values())), dtype=np.float32)
            new = dict(zip(missing, made, strict=True))
            self._write(new)
            vectors |= new
        return np.stack([vectors[key] for key in keys]) if keys else np.empty((0, 0), dtype=np.float32)

    @property
    def count(self) -> int:
        """Vectors that are kept, of texts that are in documents or were; 0 where that cannot be read."""
        try:
            return max(0, len(self._store) - len(_PROBES))
        except RepresentationStoreError as error:
            logger.warning("Vectors that were kept cannot be counted: %s", error)
            return 0

    def tidy(self, documents: Iterable[Document]) -> None:
        """
        Remove the vectors of all other documents, and give their room back to the disk; a warning where it cannot be.

        :param documents: all that there are.
        """
        try:
            if self.keep_only(documents):
                self._store.compact()
        except RepresentationStoreError as error:
            # they are in nobody's way but for their room
            logger.warning("The vectors of documents that were deleted stay: %s", error)

    def keep_only(self, documents: Iterable[Document]) -> int:
        """
        Remove the vectors of all other documents: of those that were deleted.

        :param documents: all that there are.
        :return: how many were removed.
        """
        kept = {self._key(document) for document in documents} | set(_PROBES)
        unused = [key for key in self._store.keys() if key not in kept]  # noqa: SIM118  # no dictionary
        for first in range(0, len(unused), _REMOVED_AT_ONCE):
            self._store.delete(unused[first : first + _REMOVED_AT_ONCE])
        return len(unused)

    def close(self) -> None:
        """Let go of the folder."""
        self._store.close()

    def _key(self, document: Document) -> bytes:
        content = document.content
        text = content if isinstance(content, str) else content.to_json()
        meta = document.meta or {}
        if self._meta_fields is not None:
            embedded = [meta.get(field) for field in self._meta_fields]
        else:
            # in an order of our own: a database keeps none
            embedded = [[field, meta[field]] for field in sorted(set(meta) - _STORES_OWN, key=str)]
        parts = json.dumps([document.content_type, text, embedded], default=str)
        return blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def _read(self, keys: list[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        try:
            self._store.prefetch(keys)
            records = self._store.get(keys)
        except RepresentationStoreError as error:
            # nothing is lost with them but the time to make them
            logger.warning("%d vectors cannot be read if they were kept, and are computed: %s", len(keys), error)
            return {}
        return {key: np.frombuffer(r, dtype=np.float32) for key, r in zip(keys, records, strict=True) if r is not None}

    def _write(self, vectors: dict[bytes, npt.NDArray[np.float32]]) -> None:
        try:
            self._store.put({key: vector.tobytes() for key, vector in vectors.items()})
        except RepresentationStoreError as error:
            # the documents can be asked about all the same, until the next start computes what is missing
            logger.warning("%d vectors could not be kept: %s", len(vectors), error)

    def _check_probe(self) -> None:
        probes = dict(zip(_PROBES, np.asarray(self._compute(list(_PROBES.values())), dtype=np.float32), strict=True))
        kept = self._read(list(probes))
        same = all(
            vector.shape == probes[key].shape and np.allclose(vector, probes[key], atol=_TOLERANCE)
            for key, vector in kept.items()
        )
        if same and len(kept) == len(probes):
            return
        if len(self._store):
            # without the second they were kept by a release that could not tell
            logger.warning("The retriever makes other vectors than those that were kept, or may: all are computed.")
            self.keep_only(())
        self._write(probes)
