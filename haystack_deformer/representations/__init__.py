"""Stored states: passages' states as bytes, in memory or on disk. Imports no Haystack, and torch only to decode."""

from haystack_deformer.representations.codec import RepresentationCodec, decode_without_helpers
from haystack_deformer.representations.errors import (
    CorruptCodecError,
    CorruptRecordError,
    RepresentationStoreError,
    StoreCorruptError,
    StoreFullError,
    StoreReadOnlyError,
)
from haystack_deformer.representations.facade import Representations
from haystack_deformer.representations.folder import RepresentationFolder
from haystack_deformer.representations.lmdb_store import LmdbRepresentationStore
from haystack_deformer.representations.manifest import FORMAT_VERSION, RepresentationManifest
from haystack_deformer.representations.memory import MemoryRepresentationStore
from haystack_deformer.representations.record import encode_record
from haystack_deformer.representations.representation import PassageRepresentation
from haystack_deformer.representations.store import RepresentationStore, StoreStatistics

__all__ = [
    "FORMAT_VERSION",
    "CorruptCodecError",
    "CorruptRecordError",
    "LmdbRepresentationStore",
    "MemoryRepresentationStore",
    "PassageRepresentation",
    "RepresentationCodec",
    "RepresentationFolder",
    "RepresentationManifest",
    "RepresentationStore",
    "RepresentationStoreError",
    "Representations",
    "StoreCorruptError",
    "StoreFullError",
    "StoreReadOnlyError",
    "StoreStatistics",
    "decode_without_helpers",
    "encode_record",
]
