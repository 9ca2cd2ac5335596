"""Texts to stored states: some at a time, so that an interrupt loses little."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from haystack_deformer.passages import PassageEncoder
from haystack_deformer.passages.chunks import in_chunks
from haystack_deformer.representations import Representations

_BATCHES_AT_ONCE = 8
"""Batches whose states are written together: a few seconds' work on a CPU, and some texts of like length among them."""

_BYTES_AT_ONCE = 200_000
"""Of such texts in UTF-8 at most: states in fp32 take some 400 to 3,000 bytes for each, in Latin letters or others."""


def missing_texts(representations: Representations, texts: Mapping[bytes, str]) -> dict[bytes, str]:
    """
    The texts without states.

    :param representations: keeps them.
    :param texts: by key.
    """
    stored = representations.contains(list(texts))
    return {key: text for (key, text), there in zip(texts.items(), stored, strict=True) if not there}


def compute(
    encoder: PassageEncoder,
    representations: Representations,
    texts: Mapping[bytes, str],
    batch_size: int,
    report: Callable[[bytes], object],
) -> None:
    """
    Run the lower layers over texts and store their states.

    :param encoder: makes them.
    :param representations: keeps them.
    :param texts: by key.
    :param batch_size: windows that go through the lower layers at once.
    :param report: called with the key of each text that went through the lower layers.
    """
    # the longest first: too long a text fails for memory at once if it does
    sorted_texts = sorted(texts.items(), key=lambda item: -len(item[1]))
    for keys in in_chunks(sorted_texts, _BYTES_AT_ONCE, batch_size * _BATCHES_AT_ONCE):
        states = encoder.encode(
            [texts[key] for key in keys],
            batch_size=batch_size,
            on_text=lambda position, keys=keys: report(keys[position]),  # type: ignore[misc]
        )
        representations.put(dict(zip(keys, states, strict=True)))
