"""Stores that several processes open: what their scripts begin with, and the record that both sides know."""

from __future__ import annotations

HEAD = """
import os, signal, sys, time
from haystack_deformer.representations import *
def record(n): return b"%d " % n * 2_000
"""


def record(n: int) -> bytes:
    return b"%d " % n * 2_000
