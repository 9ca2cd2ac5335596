"""What indexing and asking return."""

from __future__ import annotations

from dataclasses import dataclass

from haystack.schema import Answer, Document


@dataclass(frozen=True)
class SyncReport:
    """
    What `CorpusIndex.sync` found and did, in passages.

    :param added: new ones, indexed.
    :param kept: that were there already.
    :param removed: whose text is gone.
    :param renewed: texts of those kept whose states were missing, as after a change of the model, and are stored now.
    """

    added: int
    kept: int
    removed: int
    renewed: int = 0

    def __str__(self) -> str:
        states = f", the states of {self.renewed} computed anew" if self.renewed else " with their states stored"
        return f"{self.added} passages new, {self.kept} found{states}, {self.removed} removed"


@dataclass(frozen=True)
class Response:
    """
    The answers to a question, and where the time went.

    :param answers: best first.
    :param documents: the passages that were read, by id.
    :param milliseconds: `retrieve`, and of the reader `question`, `read`, `compute`, `upper`, `spans`.
    """

    answers: list[Answer]
    documents: dict[str, Document]
    milliseconds: dict[str, float]
