"""Question-answering data in SQuAD format, 1.1 and 2.0."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from haystack_deformer.files import write_atomically

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SquadExample:
    """
    One question on one passage.

    :param id: the question's.
    :param question: its text.
    :param context: the passage.
    :param answers: acceptable answers and the character in `context` at which each begins; none: unanswerable.
    :param gold: texts of all acceptable answers, also of those that do not stand where they are said to.
    :param labelled: False where nobody has said whether there is an answer: a teacher says it.
    """

    id: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...]
    gold: tuple[str, ...] = ()
    labelled: bool = True


@dataclass
class SquadReport:
    """
    What was read, and what could not be used.

    :param questions: questions read and kept.
    :param unanswerable: those of them that have no answer.
    :param misplaced_answers: answers that do not stand at their `answer_start`, of questions that were kept.
    :param misplaced: ids of questions dropped because none of their answers stands at its `answer_start`.
    :param blank: ids of questions dropped because the question or its passage is blank.
    :param renamed: questions whose id another one has as well, as in the languages of XQuAD: a number is put behind it.
    """

    questions: int = 0
    unanswerable: int = 0
    misplaced_answers: int = 0
    misplaced: list[str] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    renamed: int = 0

    def __str__(self) -> str:
        text = f"{self.questions} questions, {self.unanswerable} of them unanswerable"
        if self.misplaced_answers:
            text += f"; {self.misplaced_answers} answers of theirs are not at their answer_start"
        if self.misplaced:
            text += f"; {len(self.misplaced)} dropped whose answer is not at its answer_start ({_some(self.misplaced)})"
        if self.blank:
            text += f"; {len(self.blank)} dropped that are blank or have a blank passage ({_some(self.blank)})"
        if self.renamed:
            text += f"; {self.renamed} have an id that another one has, and a number behind it now"
        return text


def load_squad(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    keep_misplaced: bool = False,
    labelled: bool = True,
) -> tuple[list[SquadExample], SquadReport]:
    """
    Read files in SQuAD format, plain or gzip.

    :param paths: one file or several.
    :param keep_misplaced: whether to keep questions none of whose answers stands at its `answer_start`: nothing can be
        learnt from them, but they count in an evaluation, which compares texts alone.
    :param labelled: whether the questions have answers to be learnt or compared with. Where not, answers in the files
        are not read.
    :return: the questions, and a report of what was dropped, which is logged as well.
    :raises FileNotFoundError: for a file that is not there.
    :raises ValueError: for a file that is not JSON, is truncated or lacks a field; names the file and the place.
    """
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    report = SquadReport()
    examples = [example for path in paths for example in _read(Path(path), report, keep_misplaced, labelled)]
    examples = list(_told_apart(examples, report))
    if not examples:
        msg = f"No question can be used in {', '.join(map(str, paths)) or 'no file'}: {report}."
        raise ValueError(msg)
    log = logger.warning if report.misplaced or report.misplaced_answers or report.blank else logger.info
    log("Read %s.", report)
    return examples, report


def load_passages(path: str | os.PathLike[str]) -> list[str]:
    """
    Read the passages of a file in SQuAD format, whether it asks anything of them or not.

    :param path: the file, plain or gzip.
    :raises FileNotFoundError: for a file that is not there.
    :raises ValueError: for a file that is not JSON, is truncated or lacks a field; names the file and the place.
    """
    path = Path(path)
    return [context for _, context, _ in _paragraphs(path, _load_json(path))]


def save_questions(asked: Sequence[tuple[str, Sequence[str]]], path: str | os.PathLike[str], *, name: str) -> int:
    """
    Write questions without answers in SQuAD format.

    :param asked: passages, and what is asked of each.
    :param path: file to write; one that ends in .gz is compressed.
    :param name: of where they come from; the ids begin with it.
    :return: questions written.
    """
    paragraphs = [
        {
            "context": passage,
            "qas": [{"id": f"{name}-{number}-{n}", "question": question} for n, question in enumerate(questions)],
        }
        for number, (passage, questions) in enumerate(asked)
    ]
    text = json.dumps({"version": name, "data": [{"title": name, "paragraphs": paragraphs}]})
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # without the time: the same questions made again are the same file, and a run of them can be resumed
    write_atomically(path, gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())
    return sum(len(questions) for _, questions in asked)


def split_held_out(examples: Iterable[SquadExample], share: float) -> tuple[list[SquadExample], list[SquadExample]]:
    """
    Divide questions by their passages, so that no passage is on both sides.

    :param examples: the questions.
    :param share: of the passages to hold out, 0 to 1. Which ones depends on their texts alone: the same passage falls
        on the same side in every file and every run, and a larger share holds out those of a smaller one as well.
    :return: the questions to train on and those held out.
    """
    sides: tuple[list[SquadExample], list[SquadExample]] = ([], [])
    for example in examples:
        digest = hashlib.blake2b(example.context.encode(errors="surrogatepass"), digest_size=8).digest()
        sides[int.from_bytes(digest, "big") < share * 2**64].append(example)
    return sides


def check_held_out(share: float) -> None:
    """
    Refuse what is no share of the passages, or leaves none to train on.

    :param share: to hold out.
    :raises ValueError: names it.
    """
    if not 0 <= share < 1:
        msg = f"held_out is a share of the passages from 0 up to 1, got {share}."
        raise ValueError(msg)


def _read(path: Path, report: SquadReport, keep_misplaced: bool, labelled: bool) -> Iterator[SquadExample]:
    for number, question, context in _questions(path, _load_json(path), labelled):
        text = question["question"]
        answers = [] if not labelled or question.get("is_impossible") else question["answers"]
        name = f"{path.name}:{number}" if question.get("id") is None else str(question["id"])
        if not text.strip() or not context.strip():
            report.blank.append(name)
            continue
        placed = tuple((answer["text"], answer["answer_start"]) for answer in answers if _stands(answer, context))
        if answers and not placed and not keep_misplaced:
            report.misplaced.append(name)
            continue
        report.questions += 1
        report.unanswerable += labelled and not answers
        report.misplaced_answers += len(answers) - len(placed)
        yield SquadExample(name, text, context, placed, tuple(answer["text"] for answer in answers), labelled)


def _told_apart(examples: Iterable[SquadExample], report: SquadReport) -> Iterator[SquadExample]:
    """Answers are kept by the question's id: of two with the same, one would be lost."""
    known: set[str] = set()
    # of thousands with one id each goes on where the one before it was
    numbers: dict[str, int] = {}
    for example in examples:
        name, number = example.id, numbers.get(example.id, 1)
        while name in known:
            number += 1
            name = f"{example.id}#{number}"
        known.add(name)
        numbers[example.id] = number
        report.renamed += number > 1
        yield example if name == example.id else replace(example, id=name)


def _load_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        msg = f"No such file: {str(path)!r}."
        raise FileNotFoundError(msg)
    try:
        data = path.read_bytes()
        # the magic number and not the name: a .json may be compressed as well
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        squad = json.loads(data)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        msg = f"{str(path)!r} is not a whole JSON file (plain or gzip): {error}."
        raise ValueError(msg) from error
    if not isinstance(squad, dict) or not isinstance(squad.get("data"), list):
        msg = f"{str(path)!r} is not in SQuAD format: a 'data' list is missing at the top."
        raise ValueError(msg)
    return squad


def _questions(path: Path, squad: dict[str, Any], labelled: bool) -> Iterator[tuple[int, dict[str, Any], str]]:
    number = 0
    for place, context, paragraph in _paragraphs(path, squad):
        for k, question in enumerate(_field(paragraph, "qas", list, place)):
            place_of_question = f"{place}.qas[{k}]"
            _field(question, "question", str, place_of_question)
            # without them, as in a test set, every question would train as unanswerable
            unread = not labelled or question.get("is_impossible")
            answers = [] if unread else _field(question, "answers", list, place_of_question)
            for m, answer in enumerate(answers):
                _field(answer, "text", str, f"{place_of_question}.answers[{m}]")
                _field(answer, "answer_start", int, f"{place_of_question}.answers[{m}]")
            yield number, question, context
            number += 1


def _paragraphs(path: Path, squad: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Where each stands in its file, its passage, and all of it."""
    for i, article in enumerate(squad["data"]):
        for j, paragraph in enumerate(_field(article, "paragraphs", list, f"{path}: data[{i}]")):
            place = f"{path}: data[{i}].paragraphs[{j}]"
            yield place, _field(paragraph, "context", str, place), paragraph


def _field(value: Any, name: str, kind: type, place: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        msg = f"{place} lacks the field {name!r}: the file is not in SQuAD format."
        raise ValueError(msg)
    if not isinstance(value[name], kind):
        msg = f"{place}.{name} is no {kind.__name__} but {value[name]!r:.40}: the file is not in SQuAD format."
        raise ValueError(msg)
    return value[name]


def _stands(answer: dict[str, Any], context: str) -> bool:
    text, start = answer["text"], answer["answer_start"]
    return bool(text) and start >= 0 and context[start : start + len(text)] == text


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
