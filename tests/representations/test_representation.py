import numpy as np
import pytest

from haystack_deformer.representations import PassageRepresentation


def test_windows_are_slices_in_order():
    states = np.arange(10, dtype=np.float32).reshape(5, 2)
    offsets = np.arange(10, dtype=np.uint32).reshape(5, 2)
    passage = PassageRepresentation(np.array([2, 0, 3]), offsets, states)
    assert (passage.n_windows, passage.n_tokens, passage.hidden_size) == (3, 5, 2)
    windows = list(passage.windows())
    assert [len(s) for s, _ in windows] == [2, 0, 3]
    np.testing.assert_array_equal(np.concatenate([s for s, _ in windows]), states)
    np.testing.assert_array_equal(windows[2][1], offsets[2:])
    assert np.shares_memory(windows[2][0], passage.states)


def test_converts_what_tokenizers_and_models_return():
    passage = PassageRepresentation([2], [(0, 0), (0, 5)], np.zeros((2, 3), np.float16))
    assert [a.dtype for a in (passage.window_lengths, passage.offsets, passage.states)] == [
        "int32",
        "uint32",
        "float32",
    ]


def test_empty_passage():
    passage = PassageRepresentation([], np.zeros((0, 2)), np.zeros((0, 8)))
    assert passage.n_windows == 0
    assert list(passage.windows()) == []


@pytest.mark.parametrize(
    ("lengths", "offsets", "states"),
    [
        ([3], np.zeros((2, 2), int), np.zeros((2, 4))),
        ([2], np.zeros((3, 2), int), np.zeros((2, 4))),
        ([2], np.zeros((2, 2), int), np.zeros((3, 4))),
        ([3, -1], np.zeros((2, 2), int), np.zeros((2, 4))),
        ([2], np.zeros((2, 2), int), np.zeros(8)),
        ([2], np.full((2, 2), -1), np.zeros((2, 4))),
        ([2], np.full((2, 2), 0.5), np.zeros((2, 4))),
        ([[2]], np.zeros((2, 2), int), np.zeros((2, 4))),
    ],
)
def test_parts_that_do_not_belong_together(lengths, offsets, states):
    with pytest.raises(ValueError, match=r"do not belong together|Expected integers"):
        PassageRepresentation(np.asarray(lengths), offsets, states)
