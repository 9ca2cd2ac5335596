"""What this process takes of the machine, by the standard library."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import torch

_lock = threading.Lock()
_last = [time.monotonic(), time.process_time()]


def cpu_percent() -> float:
    """Percent of all processors since the last call."""
    with _lock:
        now = [time.monotonic(), time.process_time()]
        wall, cpu = now[0] - _last[0], now[1] - _last[1]
        _last[:] = now
    return round(100 * cpu / max(wall, 1e-3) / (os.cpu_count() or 1), 2)


def memory_percent() -> float:
    """Percent of the machine's memory; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return round(100 * pages / os.sysconf("SC_PHYS_PAGES"), 2)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


def gpus() -> list[dict[str, Any]]:
    """For each GPU its megabytes and how busy it is."""
    found = []
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        try:
            busy = float(torch.cuda.utilization(number))
        except (ImportError, RuntimeError):  # it asks pynvml
            busy = 0.0
        found.append(
            {
                "kernel_usage": busy,
                "memory_total": round(torch.cuda.get_device_properties(number).total_memory / 2**20),
                "memory_used": round(torch.cuda.memory_reserved(number) / 2**20),
            }
        )
    return found
