"""The checkpoints of a run: which of a folder's entries they are, and which of them a run can go on from."""

from __future__ import annotations

import re
from pathlib import Path

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
    The last that was written to its end; None where there is none.

    :param folder: may be missing.
    """
    # the trainer's state comes last, and a kill may have come before it
    return next((path for path in reversed(checkpoints_in(folder)) if (path / "trainer_state.json").is_file()), None)
