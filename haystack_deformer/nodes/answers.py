"""Spans to Haystack's answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Any

from haystack.nodes.reader.base import BaseReader
from haystack.schema import Answer, Document, Span

from haystack_deformer.modeling import DeFormerConfig
from haystack_deformer.reading import TextSpan, context_window, margin_to_score


class AnswerBuilder:
    """
    Ranks the spans of several documents and makes answers of the best.

    :param config: the scale and shift of the scores.
    :param context_window_size: characters of the text shown around an answer.
    :param no_ans_boost: logits added to the null answer, whose margin is 0 without them.
    :param return_no_answer: whether "no answer" may be among the answers.
    :param use_confidence_scores: scores by the sigmoid; False: margins.
    :param confidence_threshold: answers with a lower score are left out.
    """

    def __init__(
        self,
        config: DeFormerConfig,
        *,
        context_window_size: int,
        no_ans_boost: float,
        return_no_answer: bool,
        use_confidence_scores: bool,
        confidence_threshold: float | None,
    ) -> None:
        self.config = config
        self.context_window_size = context_window_size
        self.no_ans_boost = no_ans_boost
        self.return_no_answer = return_no_answer
        self.use_confidence_scores = use_confidence_scores
        self.confidence_threshold = confidence_threshold

    def build(
        self, documents: Sequence[Document], spans: Sequence[Sequence[TextSpan]], top_k: int
    ) -> tuple[list[Answer], float]:
        """
        The answers of some documents together.

        :param documents: each with text.
        :param spans: of each document, best first.
        :param top_k: answers at most.
        :return: best first; and `no_ans_gap`, how much `no_ans_boost` would have to rise for "no answer" to win. Where
            there is no span, "no answer" with the score and the gap that Haystack has for it.
        """
        ranked = sorted(
            ((span, document) for document, found in zip(documents, spans, strict=True) for span in found),
            key=lambda entry: -entry[0].margin,
        )
        ranked = list(_without_repeats(ranked))
        # Haystack's own value for a question without a passage, score and gap
        if not ranked:
            no_answer, gap = BaseReader._calc_no_answer([], 0, self.use_confidence_scores)  # noqa: SLF001
            return ([no_answer] if self.return_no_answer else []), float(gap)
        # answers are made for the best alone: cutting contexts and copying meta is what costs here
        best = ranked[:top_k]
        answers = [self._answer(span, document) for span, document in best]
        if self.return_no_answer:
            # the null answer's margin over itself is 0, for every document: that is what makes scores compare. Margins
            # decide, for scores of 1 are all the same.
            answers.insert(sum(span.margin >= self.no_ans_boost for span, _ in best), self._no_answer())
        if self.confidence_threshold is not None:
            answers = [answer for answer in answers if answer.score >= self.confidence_threshold]
        return answers[:top_k], ranked[0][0].margin - self.no_ans_boost

    def _score(self, margin: float) -> float:
        if not self.use_confidence_scores:
            return margin
        return margin_to_score(margin, self.config.score_scale, self.config.score_shift)

    def _answer(self, span: TextSpan, document: Document) -> Answer:
        text = document.content
        first, last = context_window(span.start, span.end, len(text), self.context_window_size)
        return Answer(
            answer=text[span.start : span.end],
            type="extractive",
            score=self._score(span.margin),
            context=text[first:last],
            offsets_in_document=[Span(start=span.start, end=span.end)],
            offsets_in_context=[Span(start=span.start - first, end=span.end - first)],
            document_ids=[document.id],
            meta=self._meta(span, document),
        )

    @staticmethod
    def _meta(span: TextSpan, document: Document) -> dict[str, Any]:
        meta = deepcopy(document.meta)
        page = meta.get("page_number")
        if isinstance(page, int) and not isinstance(page, bool):
            # as FARMReader: pages are parted by form feeds
            meta["answer_page_number"] = page + document.content[: span.start].count("\f")
        return meta

    def _no_answer(self) -> Answer:
        return Answer(
            answer="",
            type="extractive",
            score=self._score(self.no_ans_boost),
            context=None,
            offsets_in_document=[Span(start=0, end=0)],
            offsets_in_context=[Span(start=0, end=0)],
            document_ids=None,
            meta=None,
        )


def _without_repeats(ranked: Iterable[tuple[TextSpan, Document]]) -> Iterator[tuple[TextSpan, Document]]:
    """
    Leave out an answer that a better ranked one gives from the same place.

    Haystack's PreProcessor splits texts with overlap and notes in the meta which characters of a document stand in
    another as well.
    """
    seen: set[tuple[str, str, int, int]] = set()
    for span, document in ranked:
        places = []
        for other, first, last in _overlaps(document):
            if first <= span.start and span.end <= last:
                pair = sorted((document.id, other))
                places.append((pair[0], pair[1], span.start - first, span.end - first))
        if seen.isdisjoint(places):
            yield span, document
        seen.update(places)


def _overlaps(document: Document) -> Iterator[tuple[str, int, int]]:
    """For each other document that shares characters with this one its id, and which of this one's, first and end."""
    noted = document.meta.get("_split_overlap")
    # the meta is its writer's: what is not as PreProcessor writes it says nothing, and keeps nobody from an answer
    for overlap in noted if isinstance(noted, (list, tuple)) else ():
        match overlap:
            case {"doc_id": str(other), "range": [int(first), int(last)]}:
                yield other, first, last
