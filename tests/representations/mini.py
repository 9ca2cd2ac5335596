"""The manifest of a model that is 16 wide, and how near its states come back."""

from __future__ import annotations

import numpy as np

from haystack_deformer.representations import RepresentationManifest


def manifest(codec: str = "SQfp16", fingerprint: str = "ab" * 16, **fields) -> RepresentationManifest:
    return RepresentationManifest(fingerprint, codec, 16, "mini", {"lower_layers": 4}, **fields)


def assert_close(found, expected, tolerance=1e-2):
    assert found is not None
    np.testing.assert_array_equal(found.window_lengths, expected.window_lengths)
    np.testing.assert_array_equal(found.offsets, expected.offsets)
    np.testing.assert_allclose(found.states, expected.states, atol=tolerance, rtol=1e-2)
