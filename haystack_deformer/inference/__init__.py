"""Questions and passages to spans: from the store through the upper layers. Knows no Haystack."""

from haystack_deformer.inference.passage_reader import PassageReader
from haystack_deformer.inference.reading import Reading, ReadingTimings, collect_readings

__all__ = ["PassageReader", "Reading", "ReadingTimings", "collect_readings"]
