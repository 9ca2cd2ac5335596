"""How good a reader is on labelled questions, and scores calibrated on them: FARMReader's methods, on texts."""

import logging
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from time import perf_counter
from typing import Any, Dict, List, Optional, Sequence, Union

import torch
from haystack.document_stores import BaseDocumentStore
from haystack.schema import Document, Label
from transformers.data.metrics.squad_metrics import compute_exact, compute_f1

from haystack_deformer.evaluation import has_tokens
from haystack_deformer.inference import PassageReader
from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.nodes.answers import AnswerBuilder
from haystack_deformer.reading import TextSpan
from haystack_deformer.reading.calibration import fit_scores
from haystack_deformer.squad import SquadExample, load_squad

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Outcome:
    """One question: its best answers, and how good they are."""

    margin: float
    has_answer: bool
    exact: List[float]
    f1: List[float]
    overlaps: List[bool]


class EvaluatesReader:
    """Methods of a reader with `_reader`, `_answers` and `top_k_per_candidate`."""

    _reader: PassageReader
    _answers: AnswerBuilder
    top_k_per_candidate: int

    def eval(
        self,
        document_store: BaseDocumentStore,
        device: Optional[Union[str, torch.device]] = None,  # noqa: ARG002  # FARMReader's; the reader's own is taken
        label_index: str = "label",
        doc_index: str = "eval_document",
        label_origin: str = "gold-label",
        calibrate_conf_scores: bool = False,
    ) -> Dict[str, Any]:
        """
        Exact match and F1 on the labels of a document store, each question asked of its own document.

        Texts are compared by SQuAD's rules, where FARMReader compares tokens.

        :param document_store: holds documents and labels.
        :param device: of no effect, FARMReader's: the reader's own is taken.
        :param label_index: of the labels.
        :param doc_index: of the documents.
        :param label_origin: which labels count.
        :param calibrate_conf_scores: whether to calibrate the scores on these questions.
        :return: in percent "EM", "f1", "top_n_accuracy" (one of the first n answers overlaps a right one), the same
            for questions with an answer ("_text_answer") and without ("_no_answer"); "top_n" and counts ("Total_...");
            and in seconds "reader_time" and "seconds_per_query".
        :raises ValueError: where there is no label.
        """
        examples = _examples_of_labels(document_store, label_index, doc_index, label_origin)
        return self._evaluate(examples, calibrate=calibrate_conf_scores)

    def eval_on_file(
        self,
        data_dir: Union[Path, str],
        test_filename: str,
        device: Optional[Union[str, torch.device]] = None,  # noqa: ARG002  # FARMReader's; the reader's own is taken
        calibrate_conf_scores: bool = False,
    ) -> Dict[str, Any]:
        """
        Exact match and F1 on a file in SQuAD format.

        :param data_dir: its folder.
        :param test_filename: its name; plain JSON or gzip.
        :param device: of no effect, FARMReader's: the reader's own is taken.
        :param calibrate_conf_scores: whether to calibrate the scores on these questions.
        :return: as `eval`.
        :raises ValueError: for a file that cannot be used; names the place.
        """
        examples, _ = load_squad(Path(data_dir) / test_filename, keep_misplaced=True)
        return self._evaluate(examples, calibrate=calibrate_conf_scores)

    def calibrate_confidence_scores(
        self,
        document_store: BaseDocumentStore,
        device: Optional[Union[str, torch.device]] = None,
        label_index: str = "label",
        doc_index: str = "eval_document",
        label_origin: str = "gold-label",
    ) -> None:
        """
        Make scores say how often an answer is right, by Platt's method on the labels of a document store.

        The reader takes them at once; `save` keeps them with the model.

        :param document_store: holds documents and labels.
        :param device: of no effect, FARMReader's: the reader's own is taken.
        :param label_index: of the labels.
        :param doc_index: of the documents.
        :param label_origin: which labels count.
        :raises ValueError: where there is no label, or the answers are all right or all wrong.
        """
        self.eval(document_store, device, label_index, doc_index, label_origin, calibrate_conf_scores=True)

    def save(self, directory: Union[Path, str]) -> None:
        """
        Write the model with its tokenizer and calibrated scores.

        :param directory: made where it does not exist.
        """
        encoder = self._reader.encoder
        model = DeFormerForQuestionAnswering(encoder.model.model, self._answers.config)
        model.save_pretrained(directory, encoder.tokenizer.tokenizer)

    def _evaluate(self, examples: Sequence[SquadExample], *, calibrate: bool) -> Dict[str, Any]:
        begin = perf_counter()
        outcomes = self._ask(examples)
        seconds = perf_counter() - begin
        if calibrate:
            scale, shift = fit_scores(
                [outcome.margin for outcome in outcomes], [outcome.exact[0] == 1 for outcome in outcomes]
            )
            self._answers.config = replace(self._answers.config, score_scale=scale, score_shift=shift)
            logger.info("Scores are calibrated on %d questions: scale %.4f, shift %.4f.", len(outcomes), scale, shift)
        parts = {
            "": outcomes,
            "_text_answer": [outcome for outcome in outcomes if outcome.has_answer],
            "_no_answer": [outcome for outcome in outcomes if not outcome.has_answer],
        }
        figures: Dict[str, Any] = {"top_n": self.top_k_per_candidate + 1}
        for suffix, part in parts.items():
            figures[f"EM{suffix}"] = _percent([outcome.exact[0] for outcome in part])
            figures[f"f1{suffix}"] = _percent([outcome.f1[0] for outcome in part])
            figures[f"top_n_accuracy{suffix}"] = _percent([any(outcome.overlaps) for outcome in part])
            if suffix:
                figures[f"Total{suffix}"] = len(part)
        with_answer = parts["_text_answer"]
        figures["top_n_EM_text_answer"] = _percent([max(outcome.exact) for outcome in with_answer])
        figures["top_n_f1_text_answer"] = _percent([max(outcome.f1) for outcome in with_answer])
        return {**figures, "reader_time": seconds, "seconds_per_query": seconds / len(outcomes)}

    def _ask(self, examples: Sequence[SquadExample]) -> List[_Outcome]:
        readable = [has_tokens(self._reader.encoder, example) for example in examples]
        asked = list(compress(examples, readable))
        questions, texts = list({x.question: 0 for x in asked}), list({x.context: 0 for x in asked})
        question_number = {question: number for number, question in enumerate(questions)}
        text_number = {text: number for number, text in enumerate(texts)}
        pairs = [(question_number[example.question], text_number[example.context]) for example in asked]
        reading = self._reader.read_pairs(questions, texts, pairs)
        spans = iter(reading.spans)
        boost = self._answers.no_ans_boost
        return [
            _outcome(example, next(spans) if has_text else (), boost)
            for example, has_text in zip(examples, readable, strict=True)
        ]


def _outcome(example: SquadExample, spans: Sequence[TextSpan], no_ans_boost: float) -> _Outcome:
    """ "No answer" stands among a passage's spans where its margin, 0 and the boost, puts it."""
    found = [(span.margin, example.context[span.start : span.end], (span.start, span.end)) for span in spans]
    found.append((no_ans_boost, "", (0, 0)))
    found.sort(key=lambda entry: -entry[0])
    gold = example.gold or ("",)
    places = [(start, start + len(text)) for text, start in example.answers]
    f1 = [max(float(compute_f1(right, text)) for right in gold) for _, text, _ in found]
    return _Outcome(
        margin=found[0][0],
        has_answer=bool(example.gold),
        exact=[max(float(compute_exact(right, text)) for right in gold) for _, text, _ in found],
        f1=f1,
        overlaps=[
            any(start < right_end and right_start < end for right_start, right_end in places)
            if places
            # of answers that do not stand where they are said to, the texts alone can be compared
            else shared > 0
            for (_, _, (start, end)), shared in zip(found, f1, strict=True)
        ],
    )


def _percent(values: Sequence[float]) -> float:
    return 100 * sum(values) / len(values) if values else 0.0


def _examples_of_labels(
    document_store: BaseDocumentStore, label_index: str, doc_index: str, label_origin: str
) -> List[SquadExample]:
    labels: List[Label] = document_store.get_all_labels(index=label_index, filters={"origin": [label_origin]})
    by_question: Dict[Any, List[Label]] = defaultdict(list)
    for label in labels:
        # again: the stores on SQL take these filters and do not look at them
        counts = label.origin == label_origin and label.answer is not None and label.document is not None
        if counts and label.document.content_type == "text":
            by_question[label.document.id, label.query].append(label)
    ids = list(dict.fromkeys(document_id for document_id, _ in by_question))
    texts = {document.id: document.content for document in _documents(document_store, ids, doc_index)}
    if missing := [document_id for document_id in ids if document_id not in texts]:
        logger.warning("%d labels' documents are not in the index %r and are left out.", len(missing), doc_index)
    examples = []
    for (document_id, query), of_question in by_question.items():
        if document_id in texts:
            right = [label for label in of_question if not label.no_answer and label.answer.answer]
            answers = tuple(
                (label.answer.answer, label.answer.offsets_in_document[0].start)
                for label in right
                if label.answer.offsets_in_document
            )
            gold = tuple(label.answer.answer for label in right)
            examples.append(SquadExample(f"{document_id}-{query}", query, texts[document_id], answers, gold))
    if not examples:
        msg = (
            f"No label of the origin {label_origin!r} in the index {label_index!r} has a document in {doc_index!r}: "
            "write some with document_store.add_eval_data(), or name the indexes."
        )
        raise ValueError(msg)
    return examples


def _documents(document_store: BaseDocumentStore, ids: List[str], index: str) -> List[Document]:
    """Those that are there."""
    try:
        return document_store.get_documents_by_id(ids, index=index)
    except KeyError:
        # of an id that it does not have, Haystack's store in memory says no more
        wanted = set(ids)
        return [document for document in document_store.get_all_documents(index=index) if document.id in wanted]
