"""The checkpoints of a run: which of a folder's entries they are, and which of them a run can go on from."""

from __future__ import annotations

import json
import logging
import re
import zipfile
from pathlib import Path

from safetensors import SafetensorError, safe_open

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
    """
    for path in reversed(checkpoints_in(folder)):
        if _is_whole(path):
            return path
        logger.warning("%s was not written to its end, or is damaged: it is passed over.", path)
    return None


def _is_whole(checkpoint: Path) -> bool:
    """Whether all files can be read: a kill comes between two, a lost power or a full disk leaves the last ones cut."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_bytes())
        with safe_open(checkpoint / "model.safetensors", "pt"):
            pass
    except (OSError, ValueError, SafetensorError):
        return False
    return all(zipfile.is_zipfile(checkpoint / name) for name in ("optimizer.pt", "scheduler.pt"))
