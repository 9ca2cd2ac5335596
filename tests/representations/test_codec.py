import logging
from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
import pytest
import torch

from haystack_deformer.representations import CorruptCodecError, RepresentationCodec
from haystack_deformer.representations import codec as codec_module


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Like hidden states: unlike dimensions, two of them outliers, tails longer than a normal distribution's."""
    random = np.random.default_rng(0)
    scale, mean = np.exp(random.normal(0, 0.3, 32)), random.normal(0, 0.3, 32)
    scale[5], mean[5], mean[9] = 12, -9, 20
    return (random.standard_t(6, (3_000, 32)) * scale + mean).astype(np.float32)


def relative_error(codec: RepresentationCodec, vectors: np.ndarray) -> float:
    error = (codec.decode(codec.encode(vectors)) - vectors) ** 2
    return float((error.mean(axis=0) / vectors.var(axis=0)).mean())


@pytest.mark.parametrize(
    ("name", "size", "bound"),
    [
        ("Flat", 128, 0),
        ("SQfp16", 64, 1e-6),
        ("SQbf16", 64, 1e-4),
        ("SQ8", 32, 2e-3),
        ("SQ6", 24, 2e-2),
        ("SQ4", 16, 5e-2),
        ("PQ16x4", 8, 0.5),
        ("OPQ16,PQ16x4", 8, 0.5),
        ("PCA32,SQ8", 32, 5e-3),
    ],
)
def test_error_on_vectors_not_trained_on(name, size, bound, vectors):
    codec = RepresentationCodec(name, 32)
    codec.train(vectors[:1_500])
    assert codec.code_size == size
    assert codec.encode(vectors).shape == (len(vectors), size)
    assert relative_error(codec, vectors[1_500:]) <= bound


@pytest.mark.parametrize("name", ["SQ8", "SQ4"])
@pytest.mark.parametrize("trained_on", [1, 5, 60, 1_500])
def test_ranges_hold_for_vectors_not_seen(name, trained_on, vectors):
    bounds = {"SQ8": {1: 0.5, 5: 2e-2, 60: 5e-3, 1_500: 2e-3}, "SQ4": {1: 0.6, 5: 0.2, 60: 0.1, 1_500: 5e-2}}
    codec = RepresentationCodec(name, 32)
    codec.train(vectors[:trained_on])
    assert relative_error(codec, vectors[1_500:]) < bounds[name][trained_on]


@pytest.mark.parametrize("name", ["SQ8", "SQ4"])
@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_training_on_equal_vectors_leaves_room_for_others(name, n, value):
    codec = RepresentationCodec(name, 4)
    codec.train(np.full((n, 4), value))
    decoded = codec.decode(codec.encode(np.array([[value, value - 1, value + 1, value]])))
    np.testing.assert_allclose(decoded, [[value, value - 1, value + 1, value]], atol=0.3)


def test_fp16_clips_what_it_cannot_hold():
    codec = RepresentationCodec("SQfp16", 4)
    decoded = codec.decode(codec.encode(np.array([[65_504, 65_520, 1e9, -1e9], [0, 1, -1, 0.5]])))
    np.testing.assert_array_equal(decoded, [[65_504, 65_504, 65_504, -65_504], [0, 1, -1, 0.5]])


@pytest.mark.filterwarnings("error")
def test_fp16_decodes_every_value_as_faiss_does():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(-1, 4)
    halves = halves[np.isfinite(halves).all(axis=1)]
    codes = np.frombuffer(halves.tobytes(), np.uint8).reshape(-1, 8)  # as of a record: not to be written to
    index = faiss.IndexScalarQuantizer(4, faiss.ScalarQuantizer.QT_fp16)
    np.testing.assert_array_equal(RepresentationCodec("SQfp16", 4).decode(codes), index.sa_decode(codes))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["SQfp16", "SQ8", "Flat", "PQ8"])
def test_several_are_decoded_as_one(vectors, name):
    codec = RepresentationCodec(name, 32)
    codec.train(vectors)
    codes = codec.encode(vectors[:100])
    stored = np.frombuffer(codes.tobytes(), np.uint8).reshape(codes.shape)  # as of a record: not to be written to
    decoded = codec.decode(stored[:1], stored[1:1], stored[1:40], stored[40:])
    np.testing.assert_array_equal(decoded, codec.decode(codes))
    for part in (decoded, codec.decode(stored)):
        assert not np.shares_memory(part, stored)
    with pytest.raises(ValueError, match="Expected codes of shape"):
        codec.decode(stored, stored[:, :-1])


def test_fp16_does_not_depend_on_torchs_defaults():
    """transformers sets them for the whole process while it loads a model in bfloat16."""
    codec = RepresentationCodec("SQfp16", 4)
    vectors = np.arange(8, dtype=np.float32).reshape(2, 4)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        np.testing.assert_array_equal(codec.decode(codec.encode(vectors)), vectors)
    finally:
        torch.set_default_dtype(usual)


def test_fp16_leaves_its_input_alone():
    vectors = np.array([[1e9]], np.float32)
    RepresentationCodec("SQfp16", 1).encode(vectors)
    assert vectors[0, 0] == np.float32(1e9)


@pytest.mark.parametrize("name", ["SQfp16", "Flat", "SQ8"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(name, value):
    codec = RepresentationCodec(name, 2)
    codec.train(np.eye(2))
    with pytest.raises(FloatingPointError, match="not finite"):
        codec.encode(np.array([[0, value]]))
    with pytest.raises(FloatingPointError, match="not finite"):
        RepresentationCodec(name, 2).train(np.array([[0, value]]))


@pytest.mark.parametrize(
    "name",
    [
        *("", "foo", "HNSW32", "IVF4,SQ8", "SQ8_direct", "L2norm,SQ8", "PQ7", "ITQ16,LSH", "LSH", "IDMap,SQ8"),
        *("SQ8,RFlat", "PCAW16,SQ8", "PCAWR16,Flat", "PCA64,SQ8"),
        *("RR16,Flat", "RR16,SQ8", "PCA0,SQ8"),
    ],
)
def test_names_that_are_no_codec(name):
    with pytest.raises(ValueError, match="SQfp16") as error:
        RepresentationCodec(name, 32)
    assert repr(name) in str(error.value)
    assert "32 values" in str(error.value)


def test_wrong_shapes():
    codec = RepresentationCodec("SQfp16", 4)
    with pytest.raises(ValueError, match=r"\(n, 4\), got \(2, 3\)"):
        codec.encode(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"\(n, 8\)"):
        codec.decode(np.zeros((2, 3), np.uint8))


def test_nothing_to_encode():
    codec = RepresentationCodec("SQfp16", 4)
    assert codec.encode(np.zeros((0, 4))).shape == (0, 8)
    assert codec.decode(np.zeros((0, 8), np.uint8)).shape == (0, 4)


def test_untrained(vectors):
    codec = RepresentationCodec("SQ8", 32)
    assert not codec.is_trained
    with pytest.raises(ValueError, match="has to be trained"):
        codec.encode(vectors)
    with pytest.raises(ValueError, match="has to be trained"):
        codec.decode(np.zeros((1, 32), np.uint8))


def test_too_few_vectors_to_train_on(vectors, caplog):
    assert [RepresentationCodec(n, 32).min_training_vectors for n in ("SQfp16", "Flat", "SQ4", "PQ8")] == [
        0,
        0,
        1_000,
        9_984,
    ]
    codec = RepresentationCodec("PQ8", 32)
    with pytest.raises(ValueError, match=r"256 .*got 255.*more documents.*SQ8"):
        codec.train(vectors[:255])
    assert not codec.is_trained
    with caplog.at_level(logging.WARNING):
        codec.train(vectors[:256])
    assert codec.is_trained
    assert "256 vectors, fewer than the 9984" in caplog.text


def test_opq_needs_as_many_vectors_as_dimensions(vectors):
    # faiss takes the process down on fewer
    with pytest.raises(ValueError, match="needs 32 vectors"):
        RepresentationCodec("OPQ8,PQ8x4", 32).train(vectors[:31])
    RepresentationCodec("OPQ8,PQ8x4", 32).train(vectors[:32])


def test_second_training_changes_nothing(vectors):
    codec = RepresentationCodec("SQ8", 32)
    codec.train(vectors)
    before = codec.encode(vectors)
    codec.train(vectors * 100)
    np.testing.assert_array_equal(codec.encode(vectors), before)


@pytest.mark.parametrize("name", ["SQfp16", "SQ8", "OPQ8,PQ8x4"])
def test_saved_and_loaded(name, vectors):
    codec = RepresentationCodec(name, 32)
    codec.train(vectors)
    loaded = RepresentationCodec.from_bytes(codec.to_bytes())
    assert (loaded.factory_string, loaded.dimension, loaded.checksum) == (name, 32, codec.checksum)
    np.testing.assert_array_equal(loaded.encode(vectors), codec.encode(vectors))
    np.testing.assert_array_equal(loaded.decode(codec.encode(vectors)), codec.decode(codec.encode(vectors)))


def test_checksum_is_of_what_was_saved_first(vectors, monkeypatch):
    """A release of faiss that writes the same codec otherwise must not make the stored states unreadable."""
    untrainable = RepresentationCodec("SQfp16", 32)
    trained = RepresentationCodec("SQ8", 32)
    trained.train(vectors)
    saved, checksums = trained.to_bytes(), (untrainable.checksum, trained.checksum)
    serialize = codec_module.faiss.serialize_index
    monkeypatch.setattr(codec_module.faiss, "serialize_index", lambda index: np.append(serialize(index), np.uint8(0)))
    loaded = RepresentationCodec.from_bytes(saved)
    assert (RepresentationCodec("SQfp16", 32).checksum, loaded.checksum) == checksums
    assert loaded.to_bytes() == saved


def test_damaged_file(vectors):
    codec = RepresentationCodec("SQ8", 32)
    codec.train(vectors)
    data = codec.to_bytes()
    for damaged in (b"", data[:10], data[:-1], data + b"x", data[:40] + bytes([data[40] ^ 1]) + data[41:], b"x" * 400):
        with pytest.raises(CorruptCodecError):
            RepresentationCodec.from_bytes(damaged)


def test_checksums_tell_trainings_apart(vectors):
    first, second = RepresentationCodec("SQ8", 32), RepresentationCodec("SQ8", 32)
    first.train(vectors[:1_000])
    second.train(vectors[1_000:])
    assert first.checksum != second.checksum


@pytest.mark.parametrize("name", ["SQfp16", "SQ8", "OPQ8,PQ8x4"])
def test_threads(name, vectors):
    codec = RepresentationCodec(name, 32)
    codec.train(vectors)
    parts = np.split(vectors, 30)
    expected = [codec.decode(codec.encode(part)) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda part: codec.decode(codec.encode(part)), parts * 10))
    for i, states in enumerate(found):
        np.testing.assert_array_equal(states, expected[i % 30])
