"""Extractive question answering in Haystack by a reader that has read the corpus before the question comes."""

from haystack_deformer.__about__ import __version__

__all__ = ["__version__"]
