"""States to bytes and back, by faiss' standalone codecs."""

from __future__ import annotations

import json
import logging
import os
import struct
import threading
import zlib
from collections.abc import Sequence

import faiss
import numpy as np

from haystack_deformer.representations.codec_index import (
    build_index,
    most_vectors,
    recommended_vectors,
    required_vectors,
    train_index,
)
from haystack_deformer.representations.errors import CorruptCodecError

logger = logging.getLogger(__name__)

_HEADER = struct.Struct("<8sII")  # magic, checksum of all that follows the checksum, length of the JSON part
_MAGIC = b"DFCODEC1"
_FP16_MAX = float(np.finfo(np.float16).max)
_SERIAL = 32_767
"""Values that PyTorch works on with one thread."""


class RepresentationCodec:
    """
    Encodes vectors to a fixed number of bytes each, and decodes them.

    Encoding and decoding are safe to call from several threads.

    :param factory_string: one that `faiss.index_factory` knows and that codes each vector on its own: `"Flat"` (exact),
        `"SQfp16"`, `"SQ8"`, `"SQ4"`, `"PQ96"`, `"OPQ96,PQ96"`.
    :param dimension: length of a vector.
    :raises ValueError: faiss does not know the string, it does not fit the dimension, or what it makes is no codec.
    """

    def __init__(self, factory_string: str = "SQfp16", dimension: int = 768) -> None:
        self.factory_string = factory_string
        self.dimension = dimension
        self._index = build_index(factory_string, dimension)
        self._train_lock = threading.Lock()
        self._saved: bytes | None = None
        # faiss turns what lies beyond fp16 into infinities, which the upper layers would spread over the passage
        self._limit = _FP16_MAX if "SQfp16" in factory_string else None

    @property
    def is_trained(self) -> bool:
        """Whether vectors can be encoded and decoded; always so for `Flat` and `SQfp16`."""
        return bool(self._index.is_trained)

    @property
    def code_size(self) -> int:
        """Bytes per vector."""
        return int(self._index.sa_code_size())

    @property
    def min_training_vectors(self) -> int:
        """How many vectors `train` should be given; 0 for codecs without training. With fewer it warns."""
        return recommended_vectors(self._index)

    @property
    def required_training_vectors(self) -> int:
        """How many vectors `train` must be given; 0 for codecs without training."""
        return required_vectors(self._index)

    @property
    def checksum(self) -> int:
        """CRC-32 of the trained codec as saved: records carry it, lest one training's codes be decoded by another's."""
        self._require_training()
        if self.required_training_vectors == 0:
            return zlib.crc32(self._name())
        return _HEADER.unpack_from(self.to_bytes())[1]

    def train(self, vectors: np.ndarray) -> None:
        """
        Fit the codec to vectors like those to come. A codec that is trained already stays as it is.

        :param vectors: float32 (n, dimension); of more than 65,536 an even selection is taken (of more than
            `min_training_vectors`, where training takes minutes: PQ, OPQ).
        :raises ValueError: wrong shape, or fewer vectors than the codec can be trained on.
        :raises FloatingPointError: values that are not finite, of a model that is broken.
        """
        vectors = self._checked(vectors)
        with self._train_lock:
            if self.is_trained:
                return
            if len(vectors) < self.required_training_vectors:
                msg = (
                    f"{self.factory_string!r} needs {self.required_training_vectors:,} vectors (tokens) or more "
                    f"to be trained on, better {self.min_training_vectors:,}, got {len(vectors):,}: write more "
                    f"documents at once the first time, or take the codec 'SQ8', which needs few"
                )
                raise ValueError(msg)
            if len(vectors) < self.min_training_vectors:
                logger.warning(
                    "The codec %r is trained on %d vectors, fewer than the %d it should have: what it stores will be "
                    "less exact. Write more documents at once the first time.",
                    self.factory_string,
                    len(vectors),
                    self.min_training_vectors,
                )
            most = most_vectors(self._index)
            if len(vectors) > most:
                vectors = vectors[np.linspace(0, len(vectors) - 1, most).astype(np.int64)]
            # a fresh index, swapped in when it is ready: no other thread ever meets one that is half trained
            index = build_index(self.factory_string, self.dimension)
            train_index(index, vectors)
            self._index = index

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        """
        Encode vectors.

        :param vectors: float32 (n, dimension). Values beyond what the codec can hold are clipped to its range.
        :returns: uint8 (n, code_size).
        :raises ValueError: wrong shape, or the codec is not trained.
        :raises FloatingPointError: values that are not finite, of a model that is broken.
        """
        vectors = self._checked(vectors)
        self._require_training()
        if len(vectors) == 0:
            return np.empty((0, self.code_size), np.uint8)
        if self._limit is not None and max(-vectors.min(), vectors.max()) > self._limit:
            vectors = np.clip(vectors, -self._limit, self._limit)
        return self._index.sa_encode(vectors)

    def decode(self, *codes: np.ndarray) -> np.ndarray:
        """
        Decode what `encode` returned.

        :param codes: uint8 (n, code_size), any number of them.
        :returns: float32 (n of all together, dimension), no view of what was given.
        :raises ValueError: wrong shape, or the codec is not trained.
        """
        self._require_training()
        for part in codes:
            self._check_codes(part)
        if not any(map(len, codes)):
            return np.empty((0, self.dimension), np.float32)
        if self.factory_string == "SQfp16":
            return _single_precision([part.view(np.float16) for part in map(np.ascontiguousarray, codes)])
        return self._index.sa_decode(np.ascontiguousarray(codes[0] if len(codes) == 1 else np.concatenate(codes)))

    def _check_codes(self, codes: np.ndarray) -> None:
        if codes.ndim != 2 or codes.shape[1] != self.code_size or codes.dtype != np.uint8:
            msg = (
                f"Expected codes of shape (n, {self.code_size}) and type uint8 for the codec {self.factory_string!r}, "
                f"got {codes.shape} and {codes.dtype}"
            )
            raise ValueError(msg)

    def to_bytes(self) -> bytes:
        """Serialise the codec with its training; no pickle."""
        if self._saved is not None:
            return self._saved
        name = self._name()
        rest = struct.pack("<I", len(name)) + name + faiss.serialize_index(self._index).tobytes()
        data = struct.pack("<8sI", _MAGIC, zlib.crc32(rest)) + rest
        if self.is_trained:
            # another release of faiss may write the same codec otherwise, and the checksum is of what was written first
            self._saved = data
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> RepresentationCodec:
        """
        Make a codec from what `to_bytes` returned.

        :param data: the bytes.
        :raises CorruptCodecError: they are truncated, damaged or something else.
        """
        # the checksum comes before faiss: its reader trusts the lengths it finds
        if len(data) < _HEADER.size or data[:8] != _MAGIC or zlib.crc32(data[12:]) != _HEADER.unpack_from(data)[1]:
            msg = f"These {len(data):,} bytes are not a serialised codec, or they are truncated or damaged"
            raise CorruptCodecError(msg)
        start = _HEADER.size + _HEADER.unpack_from(data)[2]
        head = json.loads(data[_HEADER.size : start])
        codec = cls(head["factory_string"], head["dimension"])
        codec._index = faiss.deserialize_index(np.frombuffer(data, np.uint8, offset=start))
        codec._saved = data if codec.is_trained else None
        return codec

    def _checked(self, vectors: np.ndarray) -> np.ndarray:
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            msg = f"Expected vectors of shape (n, {self.dimension}), got {vectors.shape}"
            raise ValueError(msg)
        if vectors.size and not np.isfinite((vectors.min(), vectors.max())).all():  # both pass NaN on
            msg = "The vectors hold values that are not finite (NaN or infinity): the model that made them is broken"
            # no ValueError, which would say that the texts are to blame
            raise FloatingPointError(msg)
        return vectors

    def _name(self) -> bytes:
        return json.dumps({"factory_string": self.factory_string, "dimension": self.dimension}).encode()

    def _require_training(self) -> None:
        if not self.is_trained:
            msg = f"The codec {self.factory_string!r} has to be trained before it encodes or decodes: call train()"
            raise ValueError(msg)

    def __repr__(self) -> str:
        return f"RepresentationCodec({self.factory_string!r}, {self.dimension})"


def decode_without_helpers() -> None:
    """Have faiss use the calling thread alone from now on: helpers would take cores from what is computed meanwhile."""
    faiss.omp_set_num_threads(1)


if hasattr(os, "register_at_fork"):
    # faiss' helpers do not come along either: the thread that forked would wait for them
    os.register_at_fork(after_in_child=decode_without_helpers)


def _single_precision(parts: Sequence[np.ndarray]) -> np.ndarray:
    """What faiss makes of them, in a fifth of its time: 0.2 against 1.0 ms for ten passages."""
    import torch  # noqa: PLC0415  # who opens a store has no use for it, who decodes has a model

    # named, for a program may have other defaults, and has bfloat16 while transformers loads a model in it
    singles = torch.empty((sum(map(len, parts)), parts[0].shape[1]), dtype=torch.float32, device="cpu")
    for part, room in zip(parts, singles.split([len(part) for part in parts]), strict=True):
        halves = torch.from_numpy(np.asarray(_Readable(part)))
        # so few at once that PyTorch keeps them to this thread: helpers go on waiting for more to do, on the cores that
        # the upper layers run on next
        for here, there in zip(halves.view(-1).split(_SERIAL), room.view(-1).split(_SERIAL), strict=True):
            there.copy_(here)
    return singles.numpy()


class _Readable:
    """An array as PyTorch takes it: it warns of those that it could not write to, and a stored one is read alone."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.__array_interface__ = {**values.__array_interface__, "data": (values.ctypes.data, False)}
