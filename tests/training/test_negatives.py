from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haystack_deformer.squad import SquadExample, load_squad
from haystack_deformer.training import data
from haystack_deformer.training.config import TrainingConfig
from haystack_deformer.training.negatives import hard_negatives

DANUBE = "The Danube flows through ten countries to the Black Sea."
RHINE = "The Rhine flows through six countries to the North Sea."
LEAVES = "Leaves give off oxygen while sunlight shines on them."


def example(name: str, question: str, context: str, *answers: str) -> SquadExample:
    placed = tuple((answer, context.index(answer)) for answer in answers)
    return SquadExample(name, question, context, placed, answers)


EXAMPLES = [
    example("danube", "Into which sea does the Danube flow?", DANUBE, "Black Sea"),
    example("rhine", "How many countries does the Rhine flow through?", RHINE, "six"),
    example("leaves", "What do leaves give off?", LEAVES, "oxygen"),
]


def negatives(examples: list[SquadExample], per_question: float = 1.0, **options: object) -> list[SquadExample]:
    return hard_negatives(examples, per_question, **{"labelled": True, "progress_bar": False, **options})


def test_a_question_is_asked_of_the_passage_most_like_it() -> None:
    found = {negative.id: negative for negative in negatives(EXAMPLES)}
    assert found["danube"].context == RHINE
    assert found["rhine"].context == DANUBE
    # no other passage shares a word with it
    assert "leaves" not in found
    for original in EXAMPLES[:2]:
        assert found[original.id] == replace(original, context=found[original.id].context, answers=(), gold=())


@pytest.mark.parametrize("seed", range(5))
def test_the_passages_most_like_it_come_before_those_with_a_word_of_it(seed: int) -> None:
    like = [example(str(n), f"What is {n}?", f"The Danube and its sea, chapter {n}.") for n in range(10)]
    less = [example(str(n), f"What is {n}?", f"Ships at sea, chapter {n}.") for n in range(10, 40)]
    found = negatives([*less, EXAMPLES[0], *like], 10.0, seed=seed)
    contexts = {negative.context for negative in found if negative.id == "danube"}
    assert contexts == {one.context for one in like}


def test_a_passage_that_holds_the_answer_is_left_to_a_teacher() -> None:
    also = "Where it ends, the Danube is called Dunaj by those who live on the BLACK SEA."
    examples = [EXAMPLES[0], example("also", "What is the Danube called?", also, "Dunaj")]
    assert [negative.id for negative in negatives(examples)] == ["also"]
    taught = negatives(examples, labelled=False)
    assert [negative.id for negative in taught] == ["danube", "also"]
    assert not any(negative.labelled for negative in taught)


def test_questions_without_labels_are_left_to_a_teacher() -> None:
    examples = [replace(EXAMPLES[0], answers=(), gold=(), labelled=False), *EXAMPLES[1:]]
    assert [negative.id for negative in negatives(examples)] == ["rhine"]
    assert [negative.id for negative in negatives(examples, labelled=False)] == ["danube", "rhine"]


@given(per_question=st.floats(0, 12), seed=st.integers(0, 2**32))
@settings(max_examples=50)
def test_as_many_as_asked_for_each_another_passage(per_question: float, seed: int) -> None:
    examples = [
        example(str(number), f"What is river {number}?", f"The river {number} is R{number * 'x'}.", f"R{number * 'x'}")
        for number in range(8)
    ]
    found = negatives(examples, per_question, seed=seed, labelled=False)
    assert found == negatives(examples, per_question, seed=seed, labelled=False)
    pairs = [(negative.id, negative.context) for negative in found]
    assert len(pairs) == len(set(pairs))
    assert not set(pairs) & {(original.id, original.context) for original in examples}
    for original in examples:
        count = sum(name == original.id for name, _ in pairs)
        assert min(7, int(per_question)) <= count <= min(7, int(per_question) + 1)


def test_some_of_the_questions_have_one_where_less_than_one_is_asked_for() -> None:
    examples = [example(str(n), "Which river is this?", f"This is the river {n}.", str(n)) for n in range(400)]
    assert 150 < len(negatives(examples, 0.5, labelled=False)) < 250


def test_passages_without_words_are_refused_by_name() -> None:
    examples = [example("a", "?", "! ! !"), example("b", "?", ". . .")]
    with pytest.raises(ValueError, match=r"No word tells these 2 passages apart.*hard_negatives=0"):
        negatives(examples)


@pytest.mark.parametrize("teacher", [None, "some/teacher"])
def test_a_run_trains_on_them(config: TrainingConfig, monkeypatch: pytest.MonkeyPatch, teacher: str | None) -> None:
    """With a teacher it says what is in them; without, they have no answer."""
    asked, trained = [], []
    found = [example("negative", "what is the capital", "the river")]
    monkeypatch.setattr(
        data, "hard_negatives", lambda examples, count, **kwargs: asked.append((examples[:], count, kwargs)) or found
    )
    monkeypatch.setattr(data, "SquadFeatures", lambda examples, *_, **__: trained.append(examples) or Features())

    class Features:
        unreachable = unreadable = ()

        def __len__(self) -> int:
            return 1

    config = replace(config, teacher=teacher)
    originals = load_squad(config.train)[0]
    for count in (0.5, 0.0):
        data.training_features(replace(config, hard_negatives=count), None, progress_bar=False)
    assert asked == [(originals, 0.5, {"labelled": teacher is None, "seed": config.seed, "progress_bar": False})]
    assert trained == [[*originals, *found], originals]
