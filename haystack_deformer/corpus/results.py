"""What indexing and asking return."""

from __future__ import annotations

from dataclasses import dataclass

from haystack.schema import Answer, Document


@dataclass(frozen=True)
class SyncReport:
    """
    What `CorpusIndex.sync` found and did, in passages.

    :param added: new ones, indexed.
    :param kept: that were there already, their states stored.
    :param removed: whose text is gone.
    """

    added: int
    kept: int
    removed: int

    def __str__(self) -> str:
        return f"{self.added} passages new, {self.kept} found with their states stored, {self.removed} removed"


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
