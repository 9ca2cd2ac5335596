"""Questions and passages as the model trains on them: the same windows as at indexing, a target in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from haystack_deformer.modeling import IGNORE_INDEX
from haystack_deformer.passages import PassageTokenizer, TokenizedPassage
from haystack_deformer.runtime import pad_ids
from haystack_deformer.squad import SquadExample

# few shapes: with lengths as they come a bfloat16 run on a CPU grew by 4 GB in 500 steps, with these by 1 GB in 2,000
_QUESTION_MULTIPLE = 8
_PASSAGE_MULTIPLE = 16


@dataclass(frozen=True)
class SquadFeature:
    """
    One question on one window.

    :param number: its place in the data set.
    :param question_ids: token ids of the question's block.
    :param window: number of the window, the same for all questions on it.
    :param passage_ids: token ids of the window.
    :param start: column of the answer's first token in the logits, 0 where the window does not hold the answer,
        `IGNORE_INDEX` where the question has no label.
    :param end: column of its last token.
    """

    number: int
    question_ids: list[int]
    window: int
    passage_ids: list[int]
    start: int
    end: int


class SquadFeatures(Dataset[SquadFeature]):
    """
    All features of some examples, in memory (60,000 questions take some 100 MB; windows are shared by their questions).

    :param examples: questions on passages.
    :param tokenizer: makes the windows.
    :param progress_bar: whether to show one.
    """

    def __init__(self, examples: Sequence[SquadExample], tokenizer: PassageTokenizer, *, progress_bar: bool = True):
        self.features: list[SquadFeature] = []
        self.unreachable: list[str] = []
        """Ids of questions left out because no window holds their answer whole."""
        self.unreadable: list[str] = []
        """Ids of questions left out because they have no token, such as one of zero-width spaces."""
        passages: dict[str, TokenizedPassage] = {}
        first_window: dict[str, int] = {}
        windows = 0
        for example in tqdm(examples, desc="Tokenizing", unit=" questions", disable=not progress_bar):
            if example.context not in passages:
                passages[example.context] = tokenizer.passages([example.context])[0]
                first_window[example.context] = windows
                windows += len(passages[example.context].window_ids)
            try:
                question_ids = tokenizer.question(example.question)
            except ValueError:
                self.unreadable.append(example.id)
                continue
            self._add(example, question_ids, passages[example.context], first_window[example.context])

    def _add(
        self, example: SquadExample, question_ids: list[int], passage: TokenizedPassage, first_window: int
    ) -> None:
        if not example.labelled:
            for number, window_ids in enumerate(passage.window_ids, start=first_window):
                self._append(question_ids, number, window_ids, IGNORE_INDEX, IGNORE_INDEX)
            return
        # the first answer is the one to learn, as in SQuAD's training sets, which have one
        text, start_char = example.answers[0] if example.answers else ("", 0)
        # no token stands on the white space around it, which would count as cut off at a window's edge
        start_char += len(text) - len(text.lstrip())
        end_char = start_char + len(text.strip())
        targets = [token_span(offsets, start_char, end_char) for offsets in passage.window_offsets]
        if example.answers and not any(targets):
            self.unreachable.append(example.id)
            return
        for number, (window_ids, target) in enumerate(
            zip(passage.window_ids, targets, strict=True), start=first_window
        ):
            start, end = (target[0] + 1, target[1] + 1) if target else (0, 0)
            self._append(question_ids, number, window_ids, start, end)

    def _append(self, question_ids: list[int], window: int, window_ids: list[int], start: int, end: int) -> None:
        self.features.append(SquadFeature(len(self.features), question_ids, window, window_ids, start, end))

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> SquadFeature:
        return self.features[index]


def token_span(offsets: npt.NDArray[np.uint32], start_char: int, end_char: int) -> tuple[int, int] | None:
    """
    The tokens of a window that cover an answer.

    :param offsets: (tokens, 2), characters of each token; (0, 0) for special tokens.
    :param start_char: the answer's first character.
    :param end_char: one past its last.
    :return: first and last token; None where the window does not hold the answer whole, or there is no answer.
    """
    touched = np.flatnonzero(
        (offsets[:, 1] > start_char) & (offsets[:, 0] < end_char) & (offsets[:, 1] > offsets[:, 0])
    )
    if not len(touched):
        return None
    first, last = int(touched[0]), int(touched[-1])
    real = np.flatnonzero(offsets[:, 1] > offsets[:, 0])
    # at the window's edge the answer may go on outside it; elsewhere what is not covered is white space
    cut_left = first == real[0] and offsets[first, 0] > start_char
    cut_right = last == real[-1] and offsets[last, 1] < end_char
    return None if cut_left or cut_right else (first, last)


def collate(features: Sequence[SquadFeature]) -> dict[str, Any]:
    """
    A batch for `DeFormerForQuestionAnswering.forward`, each window once.

    :param features: of the batch.
    """
    cpu = torch.device("cpu")
    windows = {feature.window: feature.passage_ids for feature in features}
    rows = {window: row for row, window in enumerate(windows)}
    question_ids, question_mask = pad_ids([feature.question_ids for feature in features], cpu, _QUESTION_MULTIPLE)
    passage_ids, passage_mask = pad_ids(list(windows.values()), cpu, _PASSAGE_MULTIPLE)
    batch: dict[str, Tensor | None] = {
        "question_ids": question_ids,
        "question_mask": question_mask,
        "passage_ids": passage_ids,
        "passage_mask": passage_mask,
        "passage_index": torch.tensor([rows[feature.window] for feature in features]),
        "start_positions": torch.tensor([feature.start for feature in features]),
        "end_positions": torch.tensor([feature.end for feature in features]),
    }
    return {name: value for name, value in batch.items() if value is not None}


def collate_numbered(features: Sequence[SquadFeature]) -> dict[str, Any]:
    """
    The same, and under `features` their numbers, by which a teacher finds what it said of them.

    :param features: of the batch.
    """
    return {**collate(features), "features": torch.tensor([feature.number for feature in features])}
