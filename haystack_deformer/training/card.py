"""The card of a trained model: what it is, what it was made from, how good it is."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from haystack_deformer.__about__ import __version__
from haystack_deformer.evaluation import Difference, Evaluation
from haystack_deformer.training.config import TrainingConfig

_CARD = """\
---
pipeline_tag: question-answering
tags: [deformer, extractive-question-answering]
---

# {name}

An extractive question-answering model, cut after layer {lower_layers} by the DeFormer method: the layers below run when
a passage is indexed, those above at query time.

## From what

- Started from: {base}
- Data: {data}
{beside}- Passages held out: {share}

## How

A teacher with full attention in every layer, then the student, which starts from the teacher's weights and learns from
it: {ce_weight} CE + {kd_weight} KD (T = {temperature}) + {lrs_weight} LRS. With haystack-deformer {version}:

```json
{settings}
```

## How good

On {total} questions of {where}, with the 95% interval of a paired bootstrap:

| model | codec | exact | F1 | F1 minus the teacher's |
|---|---|---|---|---|
{rows}
"""


@dataclass(frozen=True)
class CardRow:
    """
    A line of the card's table.

    :param name: of the model.
    :param codec: that its states went through.
    :param evaluation: its figures.
    :param difference: to the teacher, of `exact` and `f1`; None for the teacher.
    """

    name: str
    codec: str
    evaluation: Evaluation
    difference: dict[str, Difference] | None


def write_card(
    folder: str | os.PathLike[str],
    start: str,
    student: TrainingConfig,
    rows: Sequence[CardRow],
    *,
    on: str,
) -> Path:
    """
    Write the card that the model hub shows.

    :param folder: of the student.
    :param start: name or folder of the teacher, or of what it was made from by the same call.
    :param student: the student's settings.
    :param rows: of the table of figures.
    :param on: what the figures come from, names of files; empty: the held-out passages.
    :return: path of the card.
    """
    path = Path(folder) / "README.md"
    further = {"Questions that the teacher alone answers": student.unlabelled, "Ensemble beside it": student.ensemble}
    share = f"{100 * student.held_out:.3g}%"
    text = _CARD.format(
        name=Path(folder).resolve().name,
        base=_names([start]),
        data=_names(student.train),
        beside="".join(f"- {what}: {_names(names)}\n" for what, names in further.items() if names),
        version=__version__,
        share=share,
        settings=json.dumps(_public_settings(asdict(student)), indent=2),
        total=rows[0].evaluation.total,
        where=on or f"the held-out {share} of the training files' passages",
        rows="\n".join(map(_line, rows)),
        **asdict(student),
    )
    path.write_text(text, encoding="utf-8")
    return path


def _public_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Of models and files that are here their names alone."""
    one = {name: settings[name] and _public(settings[name]) for name in ("model", "teacher")}
    several = {name: [_public(path) for path in settings[name]] for name in ("train", "unlabelled", "ensemble")}
    return {**settings, **one, **several}


def _public(name: str) -> str:
    """Of a path, whose folders are the user's own, the last part; a model hub's name as it is."""
    path = Path(name)
    return path.resolve().name if path.is_absolute() or path.exists() else name


def _names(paths: Sequence[str]) -> str:
    return ", ".join(f"`{_public(path)}`" for path in paths)


def _line(row: CardRow) -> str:
    difference = "" if row.difference is None else str(row.difference["f1"])
    codec = f"`{row.codec}`" if row.codec else ""
    return f"| {row.name} | {codec} | {row.evaluation.exact:.1f} | {row.evaluation.f1:.1f} | {difference} |"
