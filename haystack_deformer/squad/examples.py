"""Questions on passages, as files in SQuAD format have them, and what was dropped of them."""

from __future__ import annotations

from dataclasses import dataclass, field


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
    :param held_out: by file, share of the passages that had no part in its questions; of files that record it alone.
    """

    questions: int = 0
    unanswerable: int = 0
    misplaced_answers: int = 0
    misplaced: list[str] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    renamed: int = 0
    held_out: dict[str, float] = field(default_factory=dict)

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


def _some(names: list[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
