"""Pools of threads live through a fork."""

from __future__ import annotations

import subprocess
import sys


def test_a_forked_process_has_threads_of_its_own() -> None:
    """In a process of its own: one that has many threads is not to be forked."""
    script = """
import os
from haystack_deformer.runtime.pool import WindowPool
pool = WindowPool(2)
work = lambda batch: batch[0] * 2
assert sorted(done for _, done in pool.run(work, [[1], [2]], 2)) == [2, 4]
child = os.fork()
if not child:
    found = sorted(done for _, done in pool.run(work, [[3], [4]], 2))
    os._exit(0 if found == [6, 8] else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
