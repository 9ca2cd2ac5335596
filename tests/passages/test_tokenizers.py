"""Byte-level and sentencepiece tokenizers know the characters of their tokens too."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from haystack_deformer.modeling import DeFormerConfig, backbone_class
from haystack_deformer.passages import PassageTokenizer, load_tokenizer
from tests.passages.tiny_tokenizers import TOKENIZERS

# each word is found where it stands, whatever stands around it
TEXTS = [
    "Paris is the capital of France.",
    "  \n Paris   is\tthe\r\ncity ",
    "Paris\u00a0is\u3000the\u2009city",
    "\u200b Paris \u200b city \ufeff",
    "\U0001f600 Paris \U0001f600 city",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 Paris \u2764\ufe0f city",
    "\u4e2d\u6587 Paris \u6771\u4eac city \ud55c\uad6d",
    "Pa\u0301ris Paris e\u0301 city\u0301 Paris",
    "\ufb01ne \u2460 \uff21 Paris \u00bd city \u2026",
    "Paris\ud800 city \udfff Paris",
    "\u0130 Paris \u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd city \u0645\u064e\u0631",
    "Paris <sep> [SEP] </s> <s> [CLS] city <unk>",
]
WORDS = ["Paris", "city", "France"]


@pytest.fixture(scope="module", params=TOKENIZERS)
def model_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tokenizer(model_type: str, tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    return TOKENIZERS[model_type](tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def passages(model_type: str, tokenizer: PreTrainedTokenizerFast) -> PassageTokenizer:
    config = DeFormerConfig(1, max_seq_len=80, doc_stride=30, max_question_length=16)
    return PassageTokenizer(tokenizer, config, backbone_class(model_type))


def windows(passages: PassageTokenizer, text: str) -> list[tuple[list[int], list[tuple[int, int]]]]:
    passage = passages.passages([text])[0]
    return [
        (ids, [tuple(pair) for pair in offsets.tolist()])
        for ids, offsets in zip(passage.window_ids, passage.window_offsets, strict=True)
    ]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_words_are_found_where_they_stand(passages: PassageTokenizer, text: str) -> None:
    offsets = [pair for _, window in windows(passages, text) for pair in window]
    starts, ends = ({pair[side] for pair in offsets if pair[0] < pair[1]} for side in (0, 1))
    for word in WORDS:
        place = text.find(word)
        while place >= 0:
            end = place + len(word)
            assert place in starts, (word, offsets)
            # a mark behind the word belongs to its last letter
            assert {end, end + 1} & ends, (word, offsets)
            place = text.find(word, end)


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_offsets_stand_on_text_in_its_order(passages: PassageTokenizer, text: str) -> None:
    for ids, offsets in windows(passages, text):
        assert len(ids) == len(offsets)
        real = [pair for pair in offsets if pair[0] < pair[1]]
        assert real == sorted(real)
        assert real[-1][1] <= len(text)
        for start, end in real:
            piece = text[start:end]
            assert piece == piece.strip().strip("\u200b\ufeff"), piece
    covered = np.zeros(len(text), dtype=bool)
    for _, offsets in windows(passages, text):
        for start, end in offsets:
            covered[start:end] = True
    # what is left out is white space and characters that show nothing
    assert not [letter for letter, seen in zip(text, covered, strict=True) if not seen and letter.isalnum()]


@pytest.mark.parametrize("text", ["", " ", "\n\t \r\n", "\u00a0\u3000", "\u200b", " \u200b "], ids=ascii)
def test_blank_text_has_no_window_and_is_no_question(passages: PassageTokenizer, text: str) -> None:
    assert windows(passages, text) == []
    with pytest.raises(ValueError, match="at least one word"):
        passages.question(text)


def test_special_tokens_in_a_text_are_text(passages: PassageTokenizer, tokenizer: PreTrainedTokenizerFast) -> None:
    layout = passages.layout
    text = f"Paris {tokenizer.sep_token} is {tokenizer.cls_token}{tokenizer.pad_token} a city {tokenizer.mask_token}"
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    prefix, suffix = len(layout.passage_prefix), len(layout.passage_suffix)
    [(ids, _)] = windows(passages, text)
    assert special.isdisjoint(ids[prefix : len(ids) - suffix])
    ids = passages.question(text)
    prefix, suffix = len(layout.question_prefix), len(layout.question_suffix)
    assert special.isdisjoint(ids[prefix : len(ids) - suffix])


@pytest.mark.parametrize(
    "text",
    [
        # a syllable in its parts, half-width letters with their voicing marks, vowel signs
        unicodedata.normalize("NFD", "\ub3c4\uc2dc\ub294 \uc11c\uc6b8"),
        "\uff8a\uff9f\uff98 \uff76\uff9e",
        "\u0939\u093f\u0928\u094d\u0926\u0940",
        "Cafe\u0301 caf\u00e9\u0301\u0302",
    ],
    ids=["jamo", "kana", "hindi", "accents"],
)
def test_no_letter_loses_a_part(passages: PassageTokenizer, text: str) -> None:
    for between in ("", " Paris"):
        covered = {
            character
            for _, window in windows(passages, text + between)
            for start, end in window
            for character in range(start, end)
        }
        assert covered >= {number for number, character in enumerate(text) if not character.isspace()}


def test_joined_blocks_are_the_pair_as_upstream_has_it(
    model_type: str, passages: PassageTokenizer, tokenizer: PreTrainedTokenizerFast
) -> None:
    question, text = "Which city?", "Paris is the city of France."
    blocks = [passages.question(question), windows(passages, text)[0][0]]
    texts = [question, text]
    if backbone_class(model_type).passage_first:
        blocks, texts = blocks[::-1], texts[::-1]
    assert blocks[0] + blocks[1] == tokenizer(*texts)["input_ids"]


def test_padding_side_of_the_callers_tokenizer_does_not_count(
    passages: PassageTokenizer, tokenizer: PreTrainedTokenizerFast
) -> None:
    """XLNet's pads on the left."""
    before = windows(passages, TEXTS[0])
    tokenizer([TEXTS[0], "Paris"], padding=True)
    assert windows(passages, TEXTS[0]) == before


def test_is_the_same_from_its_folder(
    model_type: str, passages: PassageTokenizer, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    tokenizer.save_pretrained(tmp_path)
    again = PassageTokenizer(load_tokenizer(tmp_path), passages.config, backbone_class(model_type))
    assert again.fingerprint == passages.fingerprint
    assert [windows(again, text) for text in TEXTS] == [windows(passages, text) for text in TEXTS]
