"""Logits to spans to scores: knows no Haystack and no model."""

from haystack_deformer.reading.scoring import context_window, margin_to_score
from haystack_deformer.reading.spans import TextSpan, best_spans, is_duplicate, merge_windows

__all__ = ["TextSpan", "best_spans", "context_window", "is_duplicate", "margin_to_score", "merge_windows"]
