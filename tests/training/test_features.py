"""Every window of a passage with the answer's tokens marked, where it holds the answer whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import BertTokenizerFast

from haystack_deformer.modeling import IGNORE_INDEX, DeFormerConfig
from haystack_deformer.modeling.backbones.bert import BertBackbone
from haystack_deformer.passages import PassageTokenizer
from haystack_deformer.squad import SquadExample
from haystack_deformer.training.features import SquadFeature, SquadFeatures, collate, collate_numbered, token_span

# one token each: windows begin at words 0, 4, 8 and 12
TEXT = "paris is the capital of france was berlin is the capital of germany was a city in the river"
WORDS = TEXT.split()


@pytest.fixture(scope="module")
def passages(tiny_tokenizer: BertTokenizerFast) -> PassageTokenizer:
    """Windows of 8 words, one every 4."""
    config = DeFormerConfig(1, max_seq_len=4 + 2 + 8 + 1, doc_stride=4, max_question_length=4)
    return PassageTokenizer(tiny_tokenizer, config, BertBackbone)


def features_of(passages: PassageTokenizer, text: str, answer: str, start: int | None = None) -> SquadFeatures:
    place = text.index(answer) if start is None else start
    assert text[place : place + len(answer)] == answer
    return SquadFeatures([SquadExample("q", "which", text, ((answer, place),))], passages, progress_bar=False)


def marked(features: SquadFeatures, tokenizer: BertTokenizerFast) -> list[str]:
    """The tokens that each window's target marks; nothing for "no answer"."""
    return [
        tokenizer.decode(feature.passage_ids[feature.start - 1 : feature.end]) if feature.end else ""
        for feature in features.features
    ]


class TestTokenSpan:
    """A window of `paris is` at characters 10 to 18 of its text, and [SEP]."""

    offsets = np.array([[10, 15], [16, 18], [0, 0]], dtype=np.uint32)

    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            (10, 15, (0, 0)),
            (16, 18, (1, 1)),
            (10, 18, (0, 1)),
            # a part of a token marks the token
            (11, 14, (0, 0)),
            (12, 17, (0, 1)),
            # white space inside the window
            (15, 18, (1, 1)),
            (10, 16, (0, 0)),
            # cut at either edge, or beyond it
            (8, 15, None),
            (0, 15, None),
            (10, 19, None),
            (0, 40, None),
            (0, 5, None),
            (20, 25, None),
            # between two tokens, or none at all
            (15, 16, None),
            (0, 0, None),
        ],
    )
    def test_covers_the_answer(self, start: int, end: int, expected: tuple[int, int] | None) -> None:
        assert token_span(self.offsets, start, end) == expected

    def test_special_tokens_hold_no_answer(self) -> None:
        assert token_span(np.zeros((2, 2), dtype=np.uint32), 0, 5) is None

    def test_special_tokens_before_the_text(self) -> None:
        offsets = np.array([[0, 0], [0, 5], [6, 8], [0, 0]], dtype=np.uint32)
        assert token_span(offsets, 0, 8) == (1, 2)


class TestTargets:
    @pytest.mark.parametrize("answer", ["paris", "paris is", "the river", "river", "capital of france", "city"])
    def test_mark_the_answer(self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast, answer: str) -> None:
        assert set(marked(features_of(passages, TEXT, answer), tiny_tokenizer)) == {answer, ""}

    def test_mark_it_in_every_window_that_holds_it_whole(
        self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast
    ) -> None:
        # words 4..5 are in the first window and in the second
        assert marked(features_of(passages, TEXT, "of france"), tiny_tokenizer) == ["of france", "of france", "", ""]
        # words 3..4 are cut by the second window's edge, and words 7..8 by the first's
        assert marked(features_of(passages, TEXT, "capital of"), tiny_tokenizer) == ["capital of", "", "", ""]
        assert marked(features_of(passages, TEXT, "berlin is"), tiny_tokenizer) == ["", "berlin is", "", ""]

    def test_answer_at_the_texts_beginning_that_goes_on_into_the_next_window(
        self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast
    ) -> None:
        answer = " ".join(WORDS[:6])
        assert marked(features_of(passages, TEXT, answer), tiny_tokenizer) == [answer, "", "", ""]

    @pytest.mark.parametrize(
        ("text", "answer"), [(f"  {TEXT}", "  paris"), (f"{TEXT}\n ", "river\n "), (TEXT, " of france ")]
    )
    def test_white_space_around_the_answer_does_not_count(
        self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast, text: str, answer: str
    ) -> None:
        plain = features_of(passages, text, answer.strip())
        spaced = features_of(passages, text, answer)
        assert spaced.features == plain.features
        assert answer.strip() in marked(spaced, tiny_tokenizer)

    def test_white_space_at_a_windows_edge(self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast) -> None:
        """The second window begins with "of": the space before it is in no window."""
        assert marked(features_of(passages, TEXT, " of"), tiny_tokenizer) == ["of", "of", "", ""]
        assert marked(features_of(passages, TEXT, "berlin "), tiny_tokenizer) == ["berlin", "berlin", "", ""]

    @given(first=st.integers(0, len(WORDS) - 1), length=st.integers(1, 9))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_are_whole_or_none(
        self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast, first: int, length: int
    ) -> None:
        last = min(first + length, len(WORDS))
        answer = " ".join(WORDS[first:last])
        start = len(" ".join(WORDS[:first])) + bool(first)
        features = features_of(passages, TEXT, answer, start)
        windows = [(begin, begin + 8) for begin in (0, 4, 8, 12)]
        holds = [begin <= first and last <= end for begin, end in windows]
        if any(holds):
            assert marked(features, tiny_tokenizer) == [answer if whole else "" for whole in holds]
        else:
            assert features.unreachable == ["q"]
            assert len(features) == 0


class TestSquadFeatures:
    def test_columns_count_the_null_answer(self, passages: PassageTokenizer) -> None:
        (first, *_) = features_of(passages, TEXT, "paris is").features
        assert (first.start, first.end) == (1, 2)

    def test_unanswerable_is_so_in_every_window(self, passages: PassageTokenizer) -> None:
        features = SquadFeatures([SquadExample("q", "which", TEXT, ())], passages, progress_bar=False)
        assert [(feature.start, feature.end) for feature in features.features] == [(0, 0)] * 4
        assert features.unreachable == []

    def test_answer_longer_than_any_window_is_named_and_left_out(self, passages: PassageTokenizer) -> None:
        examples = [
            SquadExample("long", "which", TEXT, ((TEXT, 0),)),
            SquadExample("short", "which", TEXT, (("paris", 0),)),
        ]
        features = SquadFeatures(examples, passages, progress_bar=False)
        assert features.unreachable == ["long"]
        assert len(features) == 4

    def test_first_answer_is_the_one_to_learn(
        self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast
    ) -> None:
        example = SquadExample("q", "which", TEXT, (("france", TEXT.index("france")), ("paris", 0)))
        assert "paris" not in marked(SquadFeatures([example], passages, progress_bar=False), tiny_tokenizer)

    def test_windows_are_those_of_indexing(self, passages: PassageTokenizer) -> None:
        features = features_of(passages, TEXT, "paris")
        assert [feature.passage_ids for feature in features.features] == passages.passages([TEXT])[0].window_ids
        assert all(feature.question_ids == passages.question("which") for feature in features.features)

    def test_questions_share_the_windows_of_their_passage(self, passages: PassageTokenizer) -> None:
        examples = [SquadExample(str(number), f"which {number}", TEXT, ()) for number in range(3)]
        features = SquadFeatures(examples, passages, progress_bar=False)
        assert features[0].passage_ids is features[4].passage_ids
        assert features[0].question_ids != features[4].question_ids

        assert [feature.window for feature in features.features] == [0, 1, 2, 3] * 3

    def test_windows_of_other_passages_have_other_numbers(self, passages: PassageTokenizer) -> None:
        examples = [SquadExample("1", "which", TEXT, ()), SquadExample("2", "which", "paris", ())]
        examples.append(SquadExample("3", "who", TEXT, ()))
        features = SquadFeatures(examples, passages, progress_bar=False)
        assert [feature.window for feature in features.features] == [0, 1, 2, 3, 4, 0, 1, 2, 3]

    def test_a_question_without_a_label_has_no_target(self, passages: PassageTokenizer) -> None:
        features = SquadFeatures([SquadExample("1", "which", TEXT, (), labelled=False)], passages, progress_bar=False)
        assert {(feature.start, feature.end) for feature in features.features} == {(IGNORE_INDEX, IGNORE_INDEX)}
        assert len(features) == 4


def test_collate_is_what_the_model_takes(passages: PassageTokenizer) -> None:
    examples = [SquadExample("1", "which", TEXT, (("paris", 0),)), SquadExample("2", "which city is", "paris", ())]
    features = SquadFeatures(examples, passages, progress_bar=False)
    batch = collate([features[0], features[4]])
    assert {name: tuple(tensor.shape) for name, tensor in batch.items()} == {
        "question_ids": (2, 8),
        "question_mask": (2, 8),
        "passage_ids": (2, 16),
        "passage_mask": (2, 16),
        "passage_index": (2,),
        "start_positions": (2,),
        "end_positions": (2,),
    }
    assert batch["question_mask"].sum(dim=1).tolist() == [3, 5]
    assert batch["passage_mask"].sum(dim=1).tolist() == [9, 2]
    assert batch["start_positions"].tolist() == [1, 0]
    assert batch["end_positions"].tolist() == [1, 0]


def test_collate_leaves_out_masks_that_hide_nothing() -> None:
    feature = SquadFeature(0, list(range(16)), 0, list(range(32)), 1, 2)
    assert set(collate([feature])) == {
        *("question_ids", "passage_ids", "passage_index", "start_positions", "end_positions")
    }


def test_collate_takes_each_window_once() -> None:
    windows = [[7] * 32, [8] * 32]
    features = [
        SquadFeature(5 + question, [question] * 16, window, windows[window], 1, 2)
        for question, window in enumerate([1, 0, 1])
    ]
    batch = collate(features)
    assert batch["passage_ids"].tolist() == [windows[1], windows[0]]
    assert batch["passage_index"].tolist() == [0, 1, 0]
    assert batch["question_ids"][:, 0].tolist() == [0, 1, 2]
    assert collate_numbered(features)["features"].tolist() == [5, 6, 7]


def test_a_question_without_a_token_is_left_out(passages: PassageTokenizer) -> None:
    examples = [SquadExample("odd", "\u200b", TEXT, ()), SquadExample("1", "which", TEXT, ())]
    features = SquadFeatures(examples, passages, progress_bar=False)
    assert features.unreadable == ["odd"]
    assert len(features) == len(SquadFeatures(examples[1:], passages, progress_bar=False))
