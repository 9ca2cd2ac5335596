"""The most memory that each reader takes, in a process of its own."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from haystack_deformer.benchmark.readers import OURS, make_readers, make_store
from haystack_deformer.benchmark.workload import load_workload

logger = logging.getLogger(__name__)

_QUESTIONS = 3


def measure_memory(names: Iterable[str], arguments: dict[str, Any]) -> dict[str, int | None]:
    """
    Megabytes at the highest, of a process that loads one reader and asks it some questions.

    :param names: of readers.
    :param arguments: `folder`, `model`, `lower_layers`, `data`, `codec` and `top_k` of the benchmark.
    :return: by name; None where the process failed.
    """
    peaks: dict[str, int | None] = {}
    for name in names:
        command = [sys.executable, "-m", __name__, json.dumps({**arguments, "name": name})]
        # the first process makes what is kept on disk, states and graphs: exporting one takes several times its size
        for _ in range(2):
            result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own module
        peaks[name] = int(result.stdout.split()[-1]) if result.returncode == 0 else None
        if peaks[name] is None:
            logger.warning("The process of %s failed: %s", name, " ".join(result.stderr.splitlines()[-3:]))
    return peaks


def peak_memory() -> int:
    """Megabytes that this process took at its highest."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux hands the parent's ru_maxrss on to its child: all readers took what the benchmark itself had taken
        lines = (line.split() for line in status.read_text(encoding="ascii", errors="replace").splitlines())
        return next(int(fields[1]) * 1024 // 1_000_000 for fields in lines if fields[:1] == ["VmHWM:"])
    import resource  # noqa: PLC0415  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # kilobytes, but on macOS
    return peak // 1000 if sys.platform != "darwin" else peak // 1_000_000


def _main(arguments: dict[str, Any]) -> None:
    folder = Path(arguments["folder"])
    workload = load_workload(folder, arguments["model"], arguments["lower_layers"], arguments["data"])
    top_k = arguments["top_k"]
    name = arguments["name"]
    # a store that computes states has the model loaded: ours shares it, and nobody else has one
    store = make_store(workload, folder / "states", arguments["codec"], progress_bar=False) if OURS in name else None
    reader = make_readers(workload, store, folder, only=name)[name]
    for question in workload.questions[:_QUESTIONS]:
        reader.predict(question, list(workload.documents[:top_k]))
    print(peak_memory())  # noqa: T201  # to the parent process


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
