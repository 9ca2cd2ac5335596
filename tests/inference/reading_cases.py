"""Questions, texts of all kinds, and the long way from one to the other."""

from __future__ import annotations

import pytest
import torch

from haystack_deformer.passages import PassageEncoder
from haystack_deformer.reading import TextSpan, best_spans, merge_windows
from haystack_deformer.representations import Representations

QUESTIONS = ["what is the capital of france?", "which city has a river", "who was in berlin"]
SENTENCE = "paris is the capital of france and has a river. "
TEXTS = [
    "paris is a city",
    SENTENCE,
    SENTENCE * 6,
    "",
    "berlin is the capital of germany.",
    " \n",
    "Café 😀 שלום paris",
    SENTENCE * 3 + "berlin",
    # near enough in length to be padded together on a CPU
    "paris river city " * 13,
    "paris river city " * 12 + "berlin germany",
    "paris river city " * 12 + "france",
]


def store(representations: Representations, encoder: PassageEncoder, texts: list[str]) -> None:
    made = encoder.encode(texts)
    representations.put({representations.key(text): one for text, one in zip(texts, made, strict=True)})


def one_shot(encoder: PassageEncoder, question: str, text: str, top_k_per_window: int = 1) -> list[TextSpan]:
    """The long way: question and window in one sequence, no states between."""
    (passage,) = encoder.tokenizer.passages([text])
    question_ids = torch.tensor([encoder.tokenizer.question(question)])
    windows = []
    for ids, offsets in zip(passage.window_ids, passage.window_offsets, strict=True):
        with torch.inference_mode():
            logits = encoder.model(question_ids, torch.tensor([ids]))
        windows += best_spans(logits.start_logits.numpy(), logits.end_logits.numpy(), [offsets], top_k=top_k_per_window)
    return merge_windows(windows, 3)


def assert_same(one: list[TextSpan], other: list[TextSpan], tolerance: float = 1e-4) -> None:
    assert [(span.start, span.end) for span in one] == [(span.start, span.end) for span in other]
    assert [span.margin for span in one] == pytest.approx([span.margin for span in other], abs=tolerance)
