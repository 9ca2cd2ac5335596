"""
Questions that nobody asked: a sentence with a phrase left out, its words thinned and moved, for a teacher to answer.

After Lewis, Denoyer and Riedel, "Unsupervised Question Answering by Cloze Translation", ACL 2019: what is here their
noise alone, and phrases found by their spelling, so that no other model is needed. Nobody has to read these questions.
They only have to make teacher and student look for something in a passage.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from random import Random

from tqdm.auto import tqdm

from haystack_deformer.squad import check_held_out, is_held_out, save_questions

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_NUMBER = re.compile(r"[(\"]?\$?\d")
_YEAR = re.compile(r"\(?[12]\d{3}\D*$")
_UNIT = re.compile(r"(million|billion|percent|years?|days?|people|km|miles)", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[,.;:()\"]+")
_FUNCTION_WORDS = frozenset(
    "a also an and are as at be been but by can for from had has have he her his if in into is it its may "  # noqa: SIM905
    "not of on or she such than that the their then there these they this those to was were which who "
    "will with would".split()
)
_NAME_ASKED = ("who", "what", "which", "where", "whose")
_NUMBER_ASKED = ("how many", "how much", "what")
_PHRASE_ASKED = ("what", "what", "how", "why", "what kind of")
_AUXILIARIES = ("did", "is", "was", "does", "are")
_WORDS = range(6, 61)
"""Of a sentence that a question is made of."""
_SHORTEST = 13
"""Characters of a question."""
_FOREIGN = 8
"""One question of so many is made of another passage's sentence: the passage does not answer it."""


def make_cloze_file(
    passages: Sequence[str],
    path: str | os.PathLike[str],
    *,
    per_passage: int = 8,
    held_out: float = 0.0,
    seed: int = 0,
    progress_bar: bool = True,
) -> int:
    """
    Write questions on passages to a file in SQuAD format, without answers.

    :param passages: texts, in English: the words that ask are.
    :param path: file to write; one that ends in .gz is compressed.
    :param per_passage: questions made of a passage's sentences, at most; some of another passage's come beside them.
    :param held_out: share of the passages that nothing is asked of, which the file records: `train` refuses to hold out
        more beside it. Some questions are put to another passage than that of their sentence, and would stay where
        theirs is left out.
    :param seed: decides phrases and words.
    :param progress_bar: whether to show one.
    :return: questions written.
    :raises ValueError: where not one question can be made, or `per_passage` is below 1.
    """
    if per_passage < 1:
        msg = f"per_passage must be at least 1, got {per_passage}."
        raise ValueError(msg)
    check_held_out(held_out)
    passages = [
        passage for passage in dict.fromkeys(passages) if passage.strip() and not is_held_out(passage, held_out)
    ]
    # neighbours in a file are often of one article, and could answer each other's questions
    Random(seed).shuffle(passages)  # noqa: S311  # chance, not secrecy
    asked = []
    for number, passage in enumerate(tqdm(passages, desc="Asking", unit=" passages", disable=not progress_bar)):
        rng = passage_rng(seed, passage)
        questions = list(cloze_questions(passage, per_passage, rng))
        if len(passages) > 1:
            other = passages[(number + 1) % len(passages)]
            questions += cloze_questions(other, max(1, per_passage // _FOREIGN), rng)
        if questions:
            asked.append((passage, list(dict.fromkeys(questions))))
    if not asked:
        msg = (
            f"No question can be made of these {len(passages)} passages: sentences of {_WORDS.start} to "
            f"{_WORDS.stop - 1} words that end in . ! or ? are needed (held_out={held_out})."
        )
        raise ValueError(msg)
    return save_questions(asked, path, name="cloze", held_out=held_out)


def split_sentences(passage: str) -> list[str]:
    """
    The sentences of an English text, by their spelling; a text without an end of one is one.

    :param passage: the text.
    """
    return _SENTENCE_END.split(passage)


def passage_rng(seed: int, passage: str) -> Random:
    """
    What decides on a passage: the same whatever others there are.

    :param seed: of all passages.
    :param passage: its text; half of a character that needs two is none that Random would take.
    """
    return Random(f"{seed} {passage}".encode("utf-8", "surrogatepass"))  # noqa: S311  # chance, not secrecy


def cloze_questions(passage: str, count: int, rng: Random) -> Iterator[str]:
    """
    Questions on one passage.

    :param passage: its text.
    :param count: questions at most; fewer where its sentences make no more.
    :param rng: decides sentences, phrases and words.
    """
    sentences = split_sentences(passage)
    made = 0
    # a sentence that makes none today may make one with another phrase left out, up to a point
    for _ in range(4 * count):
        question = _question(rng.choice(sentences).split(), rng)
        if question is not None:
            yield question
            made += 1
            if made == count:
                return


def _question(words: Sequence[str], rng: Random) -> str | None:
    """One sentence with one phrase asked for; None where there is none to leave out, or too little is left."""
    phrases = list(_phrases(words, rng)) if len(words) in _WORDS else []
    if not phrases:
        return None
    start, end, asked = rng.choice(phrases)
    before = _thinned(words[max(0, start - rng.randint(2, 9)) : start], rng)
    after = _thinned(words[end : end + rng.randint(2, 9)], rng)
    if len(before) + len(after) < 3:
        return None
    text = _PUNCTUATION.sub("", " ".join(_ordered(before, asked, after, rng))).strip()
    return f"{text[:1].upper()}{text[1:]}?" if len(text) >= _SHORTEST else None


def _phrases(words: Sequence[str], rng: Random) -> Iterator[tuple[int, int, str]]:
    """First word, one past the last, and what asks for them: numbers, names, and some other words."""
    for start, word in enumerate(words):
        end = start + 1
        if _NUMBER.match(word):
            end += end < len(words) and bool(_UNIT.match(words[end]))
            yield start, end, "when" if _YEAR.match(word) else rng.choice(_NUMBER_ASKED)
        # a sentence's first word has a capital in any case
        elif start and word[0].isupper() and not words[start - 1][0].isupper():
            end = _end_of_name(words, start)
            yield start, end, rng.choice(_NAME_ASKED if end - start < 4 else ("what", "which"))
        elif word.isalpha() and len(word) > 3 and not _is_function_word(word) and rng.random() < 0.25:
            end = min(len(words), start + rng.randint(1, 3))
            while end > start + 1 and _is_function_word(words[end - 1]):
                end -= 1
            yield start, end, rng.choice(_PHRASE_ASKED)


def _end_of_name(words: Sequence[str], start: int) -> int:
    """One past the last word with a capital; "of" and "the" may stand between."""
    end = start + 1
    while end < len(words):
        joins = words[end] in {"of", "the"} and end + 1 < len(words) and words[end + 1][0].isupper()
        if not words[end][0].isupper() and not joins:
            break
        end += 1
    return end


def _ordered(before: list[str], asked: str, after: list[str], rng: Random) -> list[str]:
    """People ask in many orders: the wh-word first, in the phrase's place, or before a verb and words turned round."""
    kind = rng.random()
    if kind < 0.2:
        return [asked, *after, *before]
    if kind < 0.4:
        return [asked, *before, *after]
    if kind < 0.7:
        return [*before, asked, *after]
    rest = [*before, *after]
    turn = rng.randrange(len(rest)) if rng.random() < 0.5 else 0
    return [asked, rng.choice(_AUXILIARIES), *rest[turn:], *rest[:turn]]


def _thinned(words: Sequence[str], rng: Random) -> list[str]:
    """Some words dropped, function words above all: a question has fewer than a sentence."""
    return [word for word in words if rng.random() > (0.35 if _is_function_word(word) else 0.08)]


def _is_function_word(word: str) -> bool:
    return word.lower().strip(",.") in _FUNCTION_WORDS
