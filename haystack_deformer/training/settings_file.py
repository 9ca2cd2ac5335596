"""Settings and inputs of a run as kept beside its checkpoints: a resumed run is the same run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

from haystack_deformer.digests import digest_checkpoint, digest_data, digest_tokenizer
from haystack_deformer.files import write_atomically
from haystack_deformer.training.config import TrainingConfig

SETTINGS_FILE = "training_config.json"
PARTS_FILE = "averaged_models.json"
"""Beside the weights of a mean: which models it is of, and their shares."""
_INPUTS = "inputs"
_TOKENIZERS = "tokenizers"
PROCESSES = "processes"
"""How many a run was begun with; each has a batch of its own."""


def save_settings(config: TrainingConfig, folder: str | os.PathLike[str]) -> None:
    """
    Write a run's settings as JSON, with the digests of what it learns from.

    :param config: the settings.
    :param folder: made where it does not exist.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    digests = {_INPUTS: _inputs(config), _TOKENIZERS: _tokenizers(config)}
    written = {**asdict(config), PROCESSES: count_processes(), **digests}
    # whole or not at all: a run that cannot read it does not go on
    write_atomically(Path(folder) / SETTINGS_FILE, (json.dumps(written, indent=2) + "\n").encode())


def is_finished(config: TrainingConfig, output: str | os.PathLike[str]) -> bool:
    """
    Whether a folder holds the finished model of these very settings and data.

    :param config: the settings.
    :param output: of a trained model, beside whose weights its settings are written last.
    """
    path = Path(output) / SETTINGS_FILE
    return path.is_file() and not _differences(config, read_settings(path))


def shares_data(config: TrainingConfig, begun: dict[str, Any]) -> bool:
    """
    Whether another run has learnt from any of the settings' labelled files, by what was in them then.

    :param config: the settings.
    :param begun: the other run's; those from before files were kept there may have.
    """
    known = begun.get(_INPUTS)
    return known is None or not set(known.values()).isdisjoint(_file_digests(config.train).values())


def files_as_they_were(begun: dict[str, Any]) -> list[str] | None:
    """
    The files that a run has learnt from; None where one of them is gone or is another now.

    :param begun: the run's settings.
    """
    files = [*begun["train"], *begun["unlabelled"]]
    known, now = begun.get(_INPUTS, {}), _file_digests(files)
    return files if all(path in now and now[path] == known.get(path) for path in files) else None


def check_resumable(config: TrainingConfig, folder: str | os.PathLike[str]) -> None:
    """
    Refuse to go on with a run that was begun with other settings, or on other data.

    :param config: the settings.
    :param folder: of the checkpoints.
    :raises ValueError: names what differs.
    """
    path = Path(folder) / SETTINGS_FILE
    if not path.is_file():
        return
    begun = read_settings(path)
    differing = _differences(config, begun)
    # each has a batch of its own; a run from before they were kept has none to compare
    if (processes := begun.get(PROCESSES, count_processes())) != count_processes():
        differing.append(f"{PROCESSES}: {processes} then, {count_processes()} now")
    if differing:
        msg = (
            f"The checkpoints in {str(folder)!r} are of a run with other settings ({'; '.join(differing)}). "
            "Give the same settings or another folder, or remove the checkpoints to begin anew, as "
            "`train --no-resume` does."
        )
        raise ValueError(msg)


def count_processes() -> int:
    """How many torchrun started, or one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def several_processes() -> bool:
    """Whether torchrun started more than this one."""
    return count_processes() > 1


def read_settings(path: Path) -> dict[str, Any]:
    """
    The settings of a run; one from before a setting was there has its default.

    :param path: of the file that `save_settings` wrote.
    :raises ValueError: for a file that is something else; says what to do.
    """
    defaults = {field.name: field.default for field in fields(TrainingConfig) if field.default is not MISSING}
    try:
        written: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        written = None
    if not isinstance(written, dict):
        msg = (
            f"{str(path)!r} is damaged, or no settings of a run: remove it, and the run goes on from its checkpoints, "
            "whose settings are then not compared."
        )
        raise ValueError(msg)
    return {**json.loads(json.dumps(defaults)), **written}


def _differences(config: TrainingConfig, begun: dict[str, Any]) -> list[str]:
    now = json.loads(json.dumps(asdict(config)))
    differing = [f"{name}: {begun.get(name)!r} then, {now[name]!r} now" for name in now if begun.get(name) != now[name]]
    for what, section, digests in (("what is", _INPUTS, _inputs), ("the tokenizer", _TOKENIZERS, _tokenizers)):
        # a run from before they were kept has none to compare
        if not differing and section in begun:
            differing = [
                f"{what} in {name!r} has changed"
                for name, digest in digests(config).items()
                if begun[section].get(name) != digest
            ]
    return differing


def _inputs(config: TrainingConfig) -> dict[str, str]:
    """Digests of the files and checkpoints that a run learns from, by the names they have here."""
    files = _file_digests((*config.train, *config.unlabelled))
    return {**files, **{name: digest_checkpoint(name) for name in _models(config)}}


def _tokenizers(config: TrainingConfig) -> dict[str, str]:
    """Digests of the tokenizers beside those checkpoints."""
    return {name: digest_tokenizer(name) for name in _models(config)}


def _models(config: TrainingConfig) -> list[str]:
    return [name for name in (config.model, config.teacher, *config.ensemble) if name is not None]


def _file_digests(paths: Iterable[str]) -> dict[str, str]:
    return {path: digest_data(path) for path in paths if Path(path).is_file()}
