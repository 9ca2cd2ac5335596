"""The facade: passages' states by text, through one codec, in one store."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from haystack_deformer.representations.codec import RepresentationCodec
from haystack_deformer.representations.errors import (
    CorruptRecordError,
    RepresentationStoreError,
    StoreReadOnlyError,
)
from haystack_deformer.representations.folder import RECORDS_NAME, RepresentationFolder, Space
from haystack_deformer.representations.lmdb_store import LmdbRepresentationStore
from haystack_deformer.representations.manifest import RepresentationManifest
from haystack_deformer.representations.memory import MemoryRepresentationStore
from haystack_deformer.representations.record import decode_records, encode_record, is_readable, read_record
from haystack_deformer.representations.representation import PassageRepresentation
from haystack_deformer.representations.shared_codec import SharedCodec, TrainingSample
from haystack_deformer.representations.store import Buffer, RepresentationStore, StoreStatistics

logger = logging.getLogger(__name__)

_PRUNE_BATCH = 1_000


class Representations:
    """
    Passages' states by key. Safe to use from several threads and processes.

    Usage example:

    ```python
    manifest = RepresentationManifest(fingerprint="9f2c", codec="SQfp16", dimension=384, model="my-model")
    with Representations.open(manifest, "index.representations") as representations:
        key = representations.key("Paris is the capital of France.")
        representations.put({key: representation})
        [found] = representations.get([key])
    ```

    :param manifest: what makes the states.
    :param codec: how they are coded.
    :param store: where the records are.
    :param space: the folder that the store and the codec are in; None in memory.
    """

    def __init__(
        self,
        manifest: RepresentationManifest,
        codec: SharedCodec,
        store: RepresentationStore,
        space: Space | None = None,
    ) -> None:
        self.manifest = manifest
        self.store = store
        self._codec = codec
        self._space = space

    @classmethod
    def open(
        cls,
        manifest: RepresentationManifest,
        path: str | Path | None = None,
        *,
        read_only: bool = False,
        training_sample: TrainingSample | None = None,
    ) -> Representations:
        """
        Open the states of one model and codec, or make room for them beside those of others.

        :param manifest: what makes the states.
        :param path: the folder; None keeps them in memory.
        :param read_only: never write, and make nothing new.
        :param training_sample: called with a number n when a first batch is n vectors too small to train the codec on;
            returns float32 (about n, dimension), states of any text. Without it a codec is trained on what is there.
        :raises ValueError: faiss does not know the codec, or it does not fit the dimension.
        :raises CorruptCodecError: the states are there and the codec they were coded with is lost or damaged.
        :raises RepresentationStoreError: the path is a file or cannot be read; it holds no states of this model and
            cannot be written to, or `read_only` forbids it.
        """
        if path is None:
            return cls(manifest, SharedCodec(manifest, training_sample=training_sample), MemoryRepresentationStore())
        # one that there is not is refused before a folder is made for it
        RepresentationCodec(manifest.codec, manifest.dimension)
        folder = RepresentationFolder(path)
        space = folder.find(manifest)
        if space is None:
            folder.warn_of_others(manifest)
            if read_only:
                msg = f"{folder.path} holds no states of {manifest.label}: write documents first (not read_only)"
                raise RepresentationStoreError(msg)
            space = folder.create(manifest)
        codec = SharedCodec(manifest, space, training_sample)
        store = LmdbRepresentationStore(space.path / RECORDS_NAME, read_only=read_only)
        try:
            codec.check(store)
        except BaseException:
            store.close()
            raise
        return cls(manifest, codec, store, space)

    @property
    def codec(self) -> RepresentationCodec:
        """The codec; trained as soon as this process or another has trained it."""
        return self._codec.current

    @property
    def path(self) -> Path | None:
        """The space's folder; None in memory."""
        return self._space.path if self._space else None

    def key(self, text: str) -> bytes:
        """
        Compute the key of a text: 16 bytes, a digest of the text and of what makes the states.

        :param text: the passage's text, lone surrogates and all.
        """
        digest = hashlib.blake2b(digest_size=16)
        fingerprint = self.manifest.fingerprint.encode()
        digest.update(len(fingerprint).to_bytes(4, "little") + fingerprint)
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.digest()

    def prefetch(self, keys: Sequence[bytes]) -> None:
        """
        Have states that are on the disk alone read in the background, for a `get` to come. No more than a hint.

        :param keys: the keys.
        """
        self.store.prefetch(keys)

    def get(self, keys: Sequence[bytes]) -> list[PassageRepresentation | None]:
        """
        Read passages' states, in one batched read of the store and one call of the codec.

        A damaged record is logged, removed if the store can be written to, and counts as missing.

        :param keys: the keys.
        :returns: for each key its passage, or None. The states of one call are views of one block of memory.
        """
        unusable: dict[bytes, CorruptRecordError] = {}

        def decode(stored: Sequence[Buffer | None]) -> list[PassageRepresentation | None]:
            # only now: another process may have trained the codec before it wrote these
            codec = self.codec
            unusable.clear()
            records = {}
            for i, (key, record) in enumerate(zip(keys, stored, strict=True)):
                if record is not None:
                    try:
                        records[i] = read_record(record, codec)
                    except CorruptRecordError as error:
                        unusable[key] = error
            decoded = dict(zip(records, decode_records(list(records.values()), codec), strict=True))
            return [decoded.get(i) for i in range(len(keys))]

        # where they lie: ten passages took 2.3 ms when they were copied before they were decoded, and take 1.9
        found = self.store.read(keys, decode)
        if unusable:
            self._drop(unusable)
        return found

    def contains(self, keys: Sequence[bytes]) -> list[bool]:
        """
        Tell which keys have states, without reading them.

        :param keys: the keys.
        """
        return self.store.contains(keys)

    def put(self, representations: Mapping[bytes, PassageRepresentation]) -> None:
        """
        Store passages' states, all of them or, on an error, none. The first call trains the codec, if it needs that.

        :param representations: passages by key.
        :raises ValueError: states of another width, or too few to train the codec on.
        :raises FloatingPointError: states that are not finite, of a model that is broken.
        :raises StoreFullError: the disk has no room.
        :raises StoreReadOnlyError: the store can only be read.
        """
        for key, representation in representations.items():
            if representation.n_tokens and representation.hidden_size != self.manifest.dimension:
                msg = (
                    f"The states under the key {key.hex()} have {representation.hidden_size} values each, and these "
                    f"representations are of {self.manifest.dimension}: they come from another model"
                )
                raise ValueError(msg)
        states = [representation.states for representation in representations.values() if representation.n_tokens]
        if states:
            self._codec.train(states)
        codec = self.codec
        self.store.put({key: encode_record(representation, codec) for key, representation in representations.items()})

    def roundtrip(self, representation: PassageRepresentation) -> PassageRepresentation:
        """
        Encode and decode, without storing: what a reader would get from the store.

        :param representation: a passage.
        :returns: the passage with the codec's error; unchanged as long as the codec is not trained.
        """
        codec = self.codec
        if not codec.is_trained:
            return representation
        states = codec.decode(codec.encode(representation.states))
        return PassageRepresentation(representation.window_lengths, representation.offsets, states)

    def delete(self, keys: Sequence[bytes]) -> int:
        """
        Remove states.

        :param keys: the keys; those without states are passed over.
        :returns: how many were removed.
        :raises StoreReadOnlyError: the store can only be read.
        """
        return self.store.delete(keys)

    def keys(self) -> Iterator[bytes]:
        """Go through the keys that have states."""
        return self.store.keys()

    def prune(self, keep: set[bytes]) -> int:
        """
        Remove the states of all keys but some.

        :param keep: the keys whose states stay.
        :returns: how many were removed.
        """
        removed = 0
        batch: list[bytes] = []
        for key in self.keys():
            if key not in keep:
                batch.append(key)
            if len(batch) == _PRUNE_BATCH:
                removed += self.store.delete(batch)
                batch = []
        return removed + (self.store.delete(batch) if batch else 0)

    def compact(self) -> None:
        """Give the room of removed states back to the disk."""
        self.store.compact()

    def statistics(self) -> StoreStatistics:
        """Count and measure what is stored."""
        return self.store.statistics()

    def describe(self) -> dict[str, Any]:
        """
        Say what is stored, where and how.

        :returns: count, bytes (on disk, or in memory), bytes_per_passage (mean record), model, codec, details, path,
            backend ("lmdb" or "memory") and others: the other spaces of the folder, each with what differs.
        """
        statistics = self.statistics()
        others = [] if self._space is None else RepresentationFolder(self._space.path.parent).others(self.manifest)
        return {
            "count": statistics.count,
            "bytes": statistics.disk_bytes or statistics.record_bytes,
            "bytes_per_passage": round(statistics.record_bytes / statistics.count) if statistics.count else 0,
            "model": self.manifest.model,
            "codec": self.manifest.codec,
            "details": dict(self.manifest.details),
            "path": str(self.path) if self.path else None,
            "backend": "memory" if self._space is None else "lmdb",
            "others": others,
        }

    def close(self) -> None:
        """Let go of the store. Closing twice is no error."""
        self.store.close()

    def __enter__(self) -> Representations:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _drop(self, unusable: Mapping[bytes, CorruptRecordError]) -> None:
        keys = list(unusable)
        logger.warning(
            "Stored states of %d passage(s) in %s cannot be used and count as missing (keys %s): %s",
            len(keys),
            self.path or "memory",
            ", ".join(key.hex() for key in keys[:10]) + (", ..." if len(keys) > 10 else ""),
            unusable[keys[0]],
        )
        codec = self.codec
        try:
            # another may have written a right one in its place meanwhile
            self.store.delete(keys, unless=lambda record: is_readable(record, codec))
        except StoreReadOnlyError:
            return
        except RepresentationStoreError as problem:
            logger.warning("They could not be removed: %s", problem)
