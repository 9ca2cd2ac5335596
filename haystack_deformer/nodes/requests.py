"""The forms in which Haystack asks a reader: checked, and flattened to pairs of a question and a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from haystack.errors import HaystackError
from haystack.schema import Document

from haystack_deformer.document_stores.stored_document import text_of
from haystack_deformer.passages import EmptyQuestionError


@dataclass(frozen=True)
class BatchRequest:
    """
    What `predict_batch` was asked.

    :param queries: the questions.
    :param documents: those that hold text, from all lists, each object once.
    :param pairs: positions in `queries` and `documents`.
    :param groups: for each list of answers the positions of its pairs.
    :param per_query: how many lists of answers go into one more list for each question; None: no such lists.
    """

    queries: list[str]
    documents: list[Document]
    pairs: list[tuple[int, int]]
    groups: list[list[int]]
    per_query: int | None

    @classmethod
    def of(cls, queries: Sequence[str], documents: Sequence[Any]) -> BatchRequest:
        """
        Flatten a request.

        :param queries: the questions.
        :param documents: one list for all questions, or one list for each.
        :raises HaystackError: where the numbers of questions and lists do not fit, or something is no Document.
        :raises ValueError: for a blank question.
        """
        check_queries(queries)
        nested = check_lists(documents)
        if nested:
            lists = list(documents)
            if len(queries) not in (1, len(lists)):
                msg = (
                    f"Number of queries must be equal to number of provided Document lists: got {len(queries)} queries "
                    f"and {len(lists)} lists."
                )
                raise HaystackError(msg)
            asked = [(number if len(queries) > 1 else 0, entry) for number, entry in enumerate(lists)]
        else:
            asked = [(number, [entry]) for number in range(len(queries)) for entry in documents]
        known: dict[int, int] = {}
        flat: list[Document] = []
        pairs: list[tuple[int, int]] = []
        groups: list[list[int]] = []
        for query, entries in asked:
            group = []
            for document in readable(entries):
                if id(document) not in known:
                    known[id(document)] = len(flat)
                    flat.append(document)
                group.append(len(pairs))
                pairs.append((query, known[id(document)]))
            groups.append(group)
        return cls(list(queries), flat, pairs, groups, None if nested or len(queries) == 1 else len(documents))

    def shape(self, answers: list[Any]) -> list[Any]:
        """
        Lists of answers in the form that Haystack returns for this request.

        :param answers: one list for each group.
        """
        if self.per_query is None:
            return answers
        size = self.per_query
        return [answers[number * size : (number + 1) * size] for number in range(len(self.queries))]


def check_queries(queries: Sequence[str]) -> None:
    """
    Refuse what is no question.

    :raises ValueError: for none.
    :raises EmptyQuestionError: for a blank one, or one that is no text.
    """
    if isinstance(queries, str):
        msg = f"queries must be a list of questions, got the text {queries!r}: use predict, or give [{queries!r}]."
        raise ValueError(msg)
    if not queries:
        msg = "There is no question: give at least one."
        raise ValueError(msg)
    for query in queries:
        if not isinstance(query, str) or not query.strip():
            msg = f"The question is empty ({query!r}): give at least one word."
            raise EmptyQuestionError(msg)


def check_documents(documents: Sequence[Any]) -> None:
    """
    Refuse what is no list of documents.

    :raises HaystackError: names the type that was given.
    """
    if not isinstance(documents, (list, tuple)):
        msg = f"documents must be a list of Documents, but got {type(documents)}."
        raise HaystackError(msg)
    for document in documents:
        if not isinstance(document, Document):
            msg = f"doc was of type {type(document)}, but expected a Document."
            raise HaystackError(msg)


def check_lists(documents: Sequence[Any]) -> bool:
    """
    Refuse what is neither a list of documents nor one of such lists.

    :return: whether it is the latter.
    :raises HaystackError: names the type that was given.
    """
    if not isinstance(documents, (list, tuple)):
        msg = f"documents must be a list of Documents or of lists of them, but got {type(documents)}."
        raise HaystackError(msg)
    nested = any(isinstance(entry, list) for entry in documents)
    for entries in documents if nested else [documents]:
        check_documents(entries)
    return nested


def readable(documents: Sequence[Document]) -> list[Document]:
    """Those that hold text: a table, an image or an empty document has no answer to mark."""
    return [document for document in documents if text_of(document.content, document.content_type) is not None]
