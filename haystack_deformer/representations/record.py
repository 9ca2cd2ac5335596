"""One passage's states as a record of the store: a versioned header, a checksum, and the arrays one after another."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from haystack_deformer.representations.codec import RepresentationCodec
from haystack_deformer.representations.errors import CorruptRecordError
from haystack_deformer.representations.representation import PassageRepresentation
from haystack_deformer.representations.store import Buffer

RECORD_VERSION = 1
_MAGIC = b"DFPR"
# magic, version, CRC-32 of all that follows it; CRC-32 of the codec, windows, tokens, dimension, bytes per code
_HEADER = struct.Struct("<4sII5I")
_CHECKED_FROM = 12


@dataclass(frozen=True)
class Record:
    """
    A record whose checksum was found right, its codes not decoded yet: views of the stored bytes.

    :param window_lengths: int32 (n_windows,).
    :param offsets: uint32 (n_tokens, 2).
    :param codes: uint8 (n_tokens, code_size).
    """

    window_lengths: np.ndarray
    offsets: np.ndarray
    codes: np.ndarray


def encode_record(representation: PassageRepresentation, codec: RepresentationCodec) -> bytes:
    """
    Encode a passage's states to a record.

    :param representation: the passage.
    :param codec: a trained codec; an untrained one will do for a passage without tokens.
    :raises ValueError: the codec is not trained or is made for another width of states.
    """
    if representation.n_tokens:
        codes, codec_checksum = codec.encode(representation.states), codec.checksum
    else:
        codes, codec_checksum = np.empty((0, codec.code_size), np.uint8), 0
    header = (representation.n_windows, representation.n_tokens, codec.dimension, codec.code_size)
    rest = b"".join(
        (
            struct.pack("<5I", codec_checksum, *header),
            representation.window_lengths.astype("<i4", copy=False).tobytes(),
            representation.offsets.astype("<u4", copy=False).tobytes(),
            codes.tobytes(),
        )
    )
    return struct.pack("<4sII", _MAGIC, RECORD_VERSION, zlib.crc32(rest)) + rest


def read_record(data: Buffer, codec: RepresentationCodec) -> Record:
    """
    Check a record and find its parts, without decoding.

    :param data: what `encode_record` returned.
    :param codec: the codec it was encoded with.
    :raises CorruptRecordError: truncated, damaged, not a record, or encoded with another codec.
    """
    if len(data) < _HEADER.size or data[:4] != _MAGIC:
        msg = f"Not a record of a passage's states, or a truncated one ({len(data):,} bytes)"
        raise CorruptRecordError(msg)
    _, version, checksum, codec_checksum, windows, tokens, dimension, code_size = _HEADER.unpack_from(data)
    if version != RECORD_VERSION:
        msg = f"The record is of version {version}, this release reads version {RECORD_VERSION}"
        raise CorruptRecordError(msg)
    if zlib.crc32(memoryview(data)[_CHECKED_FROM:]) != checksum:
        msg = f"The record of {len(data):,} bytes is truncated or damaged: its checksum does not fit"
        raise CorruptRecordError(msg)
    if len(data) != _HEADER.size + 4 * windows + (8 + code_size) * tokens:
        msg = f"The record of {len(data):,} bytes has not the length that its header gives"
        raise CorruptRecordError(msg)
    if (dimension, code_size) != (codec.dimension, codec.code_size) or (
        tokens and not (codec.is_trained and codec_checksum == codec.checksum)
    ):
        msg = f"The record was not packed with this codec ({codec!r}), or with another training of it"
        raise CorruptRecordError(msg)
    lengths = np.frombuffer(data, "<i4", windows, _HEADER.size)
    offsets = np.frombuffer(data, "<u4", 2 * tokens, _HEADER.size + 4 * windows)
    codes = np.frombuffer(data, np.uint8, tokens * code_size, _HEADER.size + 4 * windows + 8 * tokens)
    return Record(lengths, offsets.reshape(tokens, 2), codes.reshape(tokens, code_size))


def is_readable(data: Buffer, codec: RepresentationCodec) -> bool:
    """
    Whether `read_record` takes a record.

    :param data: what `encode_record` returned, possibly damaged.
    :param codec: the codec it was encoded with.
    """
    try:
        read_record(data, codec)
    except CorruptRecordError:
        return False
    return True


def has_tokens(data: bytes) -> bool:
    """
    Tell, from the header alone, whether a record holds any states.

    :param data: what `encode_record` returned, possibly damaged.
    """
    return len(data) < _HEADER.size or _HEADER.unpack_from(data)[5] > 0


def decode_records(records: Sequence[Record], codec: RepresentationCodec) -> list[PassageRepresentation]:
    """
    Decode the codes of several records with one call of the codec. Nothing returned is a view of a record.

    :param records: what `read_record` returned.
    :param codec: the codec they were encoded with.
    """
    sizes = [len(record.codes) for record in records]
    # an untrained codec will do for passages without tokens
    codes = [record.codes for record in records if len(record.codes)]
    states = codec.decode(*codes) if codes else np.empty((0, codec.dimension), np.float32)
    ends = np.cumsum(sizes).tolist()
    return [
        PassageRepresentation(record.window_lengths.copy(), record.offsets.copy(), states[end - size : end])
        for record, size, end in zip(records, sizes, ends, strict=True)
    ]
