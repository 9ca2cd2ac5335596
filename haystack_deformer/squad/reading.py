"""Reads files in SQuAD format, 1.1 and 2.0, plain or gzip, and says what of them cannot be used."""

from __future__ import annotations

import gzip
import json
import logging
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from haystack_deformer.squad.examples import SquadExample, SquadReport

logger = logging.getLogger(__name__)


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
    examples = list(_with_unique_ids(examples, report))
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


def _read(path: Path, report: SquadReport, keep_misplaced: bool, labelled: bool) -> Iterator[SquadExample]:
    squad = _load_json(path)
    if "held_out" in squad:
        report.held_out[str(path)] = _field(squad, "held_out", float, str(path))
    for number, question, context in _questions(path, squad, labelled):
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


def _with_unique_ids(examples: Iterable[SquadExample], report: SquadReport) -> Iterator[SquadExample]:
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
