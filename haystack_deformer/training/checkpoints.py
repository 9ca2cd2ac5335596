"""The checkpoints of a run: which of a folder's entries they are, and which of them a run can go on from."""

from __future__ import annotations

import json
import logging
import re
import zipfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from haystack_deformer.training.settings_file import PROCESSES, SETTINGS_FILE, count_processes, read_settings
from haystack_deformer.training.weight_averaging import AVERAGED_FILE, first_averaged_step

logger = logging.getLogger(__name__)

# as transformers names them: a copy that a user put aside under a name of its own is neither read nor removed
_NAME = re.compile(r"checkpoint-(\d+)")


def checkpoints_in(folder: Path) -> list[Path]:
    """
    All that runs wrote into a folder, the latest last.

    :param folder: may be missing.
    """
    found = [(int(match[1]), path) for path in folder.glob("*") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def last_checkpoint(folder: Path) -> Path | None:
    """
    The last that was written to its end; None where there is none. Those after it are named in the log.

    :param folder: may be missing.
    :raises ValueError: where the run's settings beside them are damaged.
    """
    checkpoints = checkpoints_in(folder)
    # as they were begun, with which those of now are yet to be compared
    begun = read_settings(folder / SETTINGS_FILE) if checkpoints and (folder / SETTINGS_FILE).is_file() else {}
    for path in reversed(checkpoints):
        if _is_whole(path, begun):
            return path
        logger.warning("%s was not written to its end, or is damaged: it is passed over.", path)
    return None


def _is_whole(checkpoint: Path, begun: dict[str, Any]) -> bool:
    """Whether all files can be read: a kill comes between two, a lost power or a full disk leaves the last ones cut."""
    weights = ["model.safetensors"]
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_bytes())
        ratio = begun.get("weight_averaging_ratio")
        averaged = ratio and state["global_step"] >= first_averaged_step(ratio, state["max_steps"])
        if averaged or (checkpoint / AVERAGED_FILE).exists():
            weights.append(AVERAGED_FILE)
        for name in weights:
            with safe_open(checkpoint / name, "pt"):
                pass
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return False
    processes = begun.get(PROCESSES, count_processes())
    # as transformers names them; without its own a process would go on with another dropout
    rng_states = ["rng_state.pth"] if processes == 1 else [f"rng_state_{rank}.pth" for rank in range(processes)]
    return all(zipfile.is_zipfile(checkpoint / name) for name in ("optimizer.pt", "scheduler.pt", *rng_states))
