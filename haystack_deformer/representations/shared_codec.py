"""The codec of the states that are kept together: trained once, by whichever process first has states."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from haystack_deformer.representations.codec import RepresentationCodec
from haystack_deformer.representations.folder import Space
from haystack_deformer.representations.manifest import RepresentationManifest
from haystack_deformer.representations.record import has_tokens
from haystack_deformer.representations.store import RepresentationStore

TrainingSample = Callable[[int], np.ndarray]


class SharedCodec:
    """
    One codec for all threads and processes that share a space.

    :param manifest: names it.
    :param space: the folder that it is in; None in memory.
    :param training_sample: called with a number n when a first batch is n vectors too small to train it on; returns
        float32 (about n, dimension), states of any text. None: it is trained on what is there.
    :raises ValueError: faiss does not know it, or it does not fit the dimension.
    """

    def __init__(
        self,
        manifest: RepresentationManifest,
        space: Space | None = None,
        training_sample: TrainingSample | None = None,
    ) -> None:
        self._codec = RepresentationCodec(manifest.codec, manifest.dimension)
        self._space = space
        self._training_sample = training_sample
        self._lock = threading.Lock()

    @property
    def current(self) -> RepresentationCodec:
        """The codec; trained as soon as this process or another has trained it."""
        if not self._codec.is_trained and self._space is not None:
            loaded = self._space.load_codec()
            if loaded is not None:
                self._codec = loaded
        return self._codec

    def train(self, states: Sequence[np.ndarray]) -> None:
        """
        Train it, if it needs that and nobody has.

        :param states: float32, (tokens, dimension) each.
        :raises ValueError: they are not finite, or too few.
        :raises StoreFullError: the disk has no room.
        """
        with self._lock:
            if self.current.is_trained:
                return
            codec = RepresentationCodec(self._codec.factory_string, self._codec.dimension)
            missing = codec.min_training_vectors - sum(map(len, states))
            if missing > 0 and self._training_sample is not None:
                states = [*states, self._training_sample(missing)]
            codec.train(np.concatenate(states))
            # on disk before the first record that needs it; if another process was first, its codec is the one
            self._codec = codec if self._space is None else self._space.publish_codec(codec)

    def check(self, store: RepresentationStore) -> None:
        """
        Refuse records whose codec was lost: it is written before any record that needs it.

        :param store: of the space.
        :raises CorruptCodecError: there are states and no codec, or a damaged one.
        """
        if self.current.is_trained or self._space is None:
            return
        keys = store.keys()
        needed = any(has_tokens(record) for key in keys for record in store.get([key]) if record)
        if needed and not self.current.is_trained:
            raise self._space.missing_codec_error()
