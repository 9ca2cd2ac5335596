import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haystack_deformer.representations import (
    CorruptRecordError,
    PassageRepresentation,
    RepresentationCodec,
    encode_record,
)
from haystack_deformer.representations.record import decode_records, read_record

EXACT = RepresentationCodec("Flat", 3)


def decode_all(records: list[bytes], codec: RepresentationCodec) -> list[PassageRepresentation]:
    return decode_records([read_record(record, codec) for record in records], codec)


def decode(record: bytes, codec: RepresentationCodec) -> PassageRepresentation:
    return decode_all([record], codec)[0]


def assert_same(found: PassageRepresentation, expected: PassageRepresentation) -> None:
    np.testing.assert_array_equal(found.window_lengths, expected.window_lengths)
    np.testing.assert_array_equal(found.offsets, expected.offsets)
    np.testing.assert_array_equal(found.states, expected.states)


@st.composite
def passages(draw):
    lengths = draw(st.lists(st.integers(0, 6), max_size=5))
    tokens = sum(lengths)
    offsets = draw(
        st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), min_size=tokens, max_size=tokens)
    )
    value = st.floats(width=32, allow_nan=False, allow_infinity=False)
    states = draw(st.lists(st.tuples(value, value, value), min_size=tokens, max_size=tokens))
    return PassageRepresentation(
        np.array(lengths, int), np.array(offsets, int).reshape(-1, 2), np.array(states, np.float32).reshape(-1, 3)
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(passages(), max_size=4))
def test_round_trip(batch):
    packed = [encode_record(passage, EXACT) for passage in batch]
    for found, expected in zip(decode_all(packed, EXACT), batch, strict=True):
        assert_same(found, expected)
    for record, expected in zip(packed, batch, strict=True):
        assert_same(decode(record, EXACT), expected)


@settings(max_examples=200, deadline=None)
@given(passages(), st.data())
def test_every_flipped_bit_and_every_truncation_is_found(passage, data):
    record = encode_record(passage, EXACT)
    place = data.draw(st.integers(0, len(record) - 1))
    flipped = bytearray(record)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    for damaged in (bytes(flipped), record[:place], record + b"\0"):
        with pytest.raises(CorruptRecordError):
            decode(damaged, EXACT)


@pytest.mark.parametrize("data", [b"", b"DFPR", b"something that is no record of anything at all", bytes(100)])
def test_not_a_record(data):
    with pytest.raises(CorruptRecordError, match="Not a record"):
        decode(data, EXACT)


def test_record_of_a_later_version(make):
    record = bytearray(encode_record(make(dimension=3), EXACT))
    record[4:8] = struct.pack("<I", 9)
    with pytest.raises(CorruptRecordError, match="version 9"):
        decode(bytes(record), EXACT)


def test_lengths_that_lie_are_found_even_with_a_right_checksum(make):
    record = bytearray(encode_record(make(dimension=3), EXACT))
    struct.pack_into("<I", record, 20, 1_000_000)
    struct.pack_into("<I", record, 8, zlib.crc32(record[12:]))
    with pytest.raises(CorruptRecordError, match="length"):
        decode(bytes(record), EXACT)


def test_records_of_another_codec_or_training_are_refused(make):
    passage = make()
    trained = [RepresentationCodec("SQ8", 16) for _ in range(2)]
    for codec in trained:
        codec.train(make(1_000).states)
    record = encode_record(passage, trained[0])
    np.testing.assert_allclose(decode(record, trained[0]).states, passage.states, atol=1)
    others = [
        trained[1],
        RepresentationCodec("SQ8", 16),
        RepresentationCodec("SQfp16", 16),
        RepresentationCodec("Flat", 4),
    ]
    for other in others:
        with pytest.raises(CorruptRecordError, match="not packed with this codec"):
            decode(record, other)


def test_empty_passage_needs_no_trained_codec():
    codec = RepresentationCodec("SQ8", 3)
    record = encode_record(PassageRepresentation([], np.zeros((0, 2)), np.zeros((0, 3))), codec)
    assert decode(record, codec).states.shape == (0, 3)
    codec.train(np.eye(3))
    assert decode(record, codec).n_windows == 0


def test_batch_is_decoded_into_one_block(make):
    codec = RepresentationCodec("SQfp16", 16)
    batch = [make(10), PassageRepresentation([0], np.zeros((0, 2)), np.zeros((0, 16))), make(20)]
    found = decode_all([encode_record(passage, codec) for passage in batch], codec)
    assert found[0].states.base is found[2].states.base
    for got, expected in zip(found, batch, strict=True):
        np.testing.assert_array_equal(got.window_lengths, expected.window_lengths)
        np.testing.assert_allclose(got.states, expected.states, rtol=1e-3, atol=1e-4)
    assert decode_all([], codec) == []


def test_states_of_another_width(make):
    with pytest.raises(ValueError, match=r"\(n, 3\)"):
        encode_record(make(dimension=16), EXACT)
