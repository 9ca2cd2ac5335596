"""Haystack's nodes."""

from haystack_deformer.nodes.reader import DeFormerReader

__all__ = ["DeFormerReader"]
