"""Windows cover every token, never depend on a question, and know the characters that a token comes from."""

from __future__ import annotations

import logging
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from transformers import BertTokenizerFast, PreTrainedTokenizerFast

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageEncoder, PassageTokenizer
from tests.passages.windows import make, tokens_of, unwind

# any character, lone surrogates among them, and many of those that the tiny vocabulary knows
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("abc xyz, \u0301\u200d\ud800😀é")), max_size=120)
FIXTURES_ARE_CONSTANT = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)


@pytest.fixture(scope="module")
def passages(tiny_tokenizer: BertTokenizerFast) -> PassageTokenizer:
    return make(tiny_tokenizer)


class TestWindows:
    @given(text=TEXTS)
    @FIXTURES_ARE_CONSTANT
    def test_cover_every_token_of_any_text(
        self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast, text: str
    ) -> None:
        (passage,) = passages.passages([text])
        ids, offsets = unwind(passage)
        assert ids == tokens_of(tiny_tokenizer, text)
        assert [len(places) for places in passage.window_offsets] == [len(window) for window in passage.window_ids]
        assert (offsets[:, 0] < offsets[:, 1]).all()
        assert (offsets[1:, 0] >= offsets[:-1, 1]).all()
        assert not len(offsets) or offsets[-1, 1] <= len(text)

    @given(count=st.integers(0, 70), room=st.integers(1, 15), data=st.data())
    @FIXTURES_ARE_CONSTANT
    def test_start_every_stride_and_end_with_the_text(
        self, tiny_tokenizer: BertTokenizerFast, count: int, room: int, data: st.DataObject
    ) -> None:
        stride = data.draw(st.integers(1, room))
        words = [("paris", "city", "river", "the")[number % 4] for number in range(count)]
        (passage,) = make(tiny_tokenizer, room, stride).passages([" ".join(words)])
        whole = tokens_of(tiny_tokenizer, " ".join(words))
        assert len(whole) == count
        sep = tiny_tokenizer.sep_token_id
        for number, window in enumerate(passage.window_ids):
            start = number * stride
            assert window == [*whole[start : start + room], sep]
            # the last window alone reaches the end: no window says nothing new
            assert (start + room >= count) == (number == len(passage.window_ids) - 1)
        assert bool(passage.window_ids) == bool(count)

    def test_special_tokens_are_no_text(self, passages: PassageTokenizer) -> None:
        (passage,) = passages.passages(["paris " * 25])
        assert len(passage.window_ids) == 5
        for places in passage.window_offsets:
            assert places.dtype == np.uint32
            assert places[-1].tolist() == [0, 0]
            assert (places[:-1, 1] > 0).all()

    @pytest.mark.parametrize("text", ["", " ", "\n\t \r\n", "\u00a0\u3000", "\u200b", "\u0301", "\x00"], ids=ascii)
    def test_text_without_a_token_has_none(self, passages: PassageTokenizer, text: str) -> None:
        before, blank, after = passages.passages(["paris", text, "city"])
        assert blank.window_ids == []
        assert blank.window_offsets == []
        assert len(before.window_ids) == len(after.window_ids) == 1

    def test_of_no_texts(self, passages: PassageTokenizer) -> None:
        assert passages.passages([]) == []

    def test_do_not_depend_on_neighbours_or_earlier_calls(self, passages: PassageTokenizer) -> None:
        text = "the capital of france is paris and the city has a river " * 2
        alone = passages.passages([text])[0]
        passages.question("what is paris")
        among = passages.passages(["x" * 50, text, ""])[1]
        assert alone.window_ids == among.window_ids
        assert all(np.array_equal(*pair) for pair in zip(alone.window_offsets, among.window_offsets, strict=True))

    def test_depend_on_the_longest_question_alone(self, tiny_tokenizer: BertTokenizerFast) -> None:
        """Not on any question asked: a setting that leaves the window its length leaves the windows as they are."""
        text = "the capital of france is paris " * 5
        one, other = (make(tiny_tokenizer, question=length) for length in (3, 20))
        assert one.passages([text])[0].window_ids == other.passages([text])[0].window_ids
        assert one.fingerprint == other.fingerprint

    def test_200_000_characters_without_a_space(self, passages: PassageTokenizer) -> None:
        text = "x" * 200_000
        (passage,) = passages.passages([text])
        (window,), (offsets,) = passage.window_ids, passage.window_offsets
        # WordPiece gives up on so long a word, and marks all of it as unknown
        assert len(window) == 2
        assert offsets[0].tolist() == [0, 200_000]

    def test_200_000_characters_of_punctuation(
        self, tiny_tokenizer: BertTokenizerFast, passages: PassageTokenizer
    ) -> None:
        (passage,) = passages.passages(["." * 200_000])
        ids, offsets = unwind(passage)
        assert len(ids) == 200_000
        assert np.array_equal(offsets, np.stack([np.arange(200_000), np.arange(1, 200_001)], axis=1))


class TestOffsets:
    def test_of_ascii(self, passages: PassageTokenizer) -> None:
        text = "Paris, the CAPITAL  of\nFrance."
        assert self.pieces(passages, text) == ["Paris", ",", "the", "CAPITAL", "of", "France", "."]

    @pytest.mark.parametrize(
        ("text", "pieces"),
        [
            ("😀 paris 😀", ["😀", "paris", "😀"]),
            ("👨\u200d👩\u200d👧 paris", ["👨\u200d👩\u200d👧", "paris"]),
            ("❤\ufe0f paris", ["❤\ufe0f", "paris"]),
            # composed, decomposed, and two marks on one letter at a text's end
            ("p\u00e1ris city", ["p\u00e1ris", "city"]),
            ("pa\u0301ris city", ["pa\u0301ris", "city"]),
            ("city paris\u0301\u0302", ["city", "paris\u0301\u0302"]),
            ("paris\u0301, city", ["paris\u0301", ",", "city"]),
            # of a word of several tokens the mark goes with the letter that it stands on
            ("a\u0301b", ["a\u0301", "b"]),
            ("\u0301paris", ["paris"]),
            # lower-casing makes two characters of this one
            ("\u0130 paris", ["\u0130", "paris"]),
            ("paris שָׁלוֹם city", ["paris", "שָׁלוֹם", "city"]),
            ("مَرْحَبًا paris", ["مَرْحَبًا", "paris"]),
            ("中文paris", ["中", "文", "paris"]),
            ("한국 paris", ["한국", "paris"]),
            ("paris\ud800 city \udfff", ["paris", "\ud800", "city", "\udfff"]),
            ("pa\u00adris paris", ["pa\u00adris", "paris"]),
        ],
        ids=ascii,
    )
    def test_are_the_characters_of_the_text(self, passages: PassageTokenizer, text: str, pieces: list[str]) -> None:
        assert self.pieces(passages, text) == pieces

    @given(text=TEXTS)
    @example(text="\ud800\u0301")
    @FIXTURES_ARE_CONSTANT
    def test_stand_on_what_the_token_says(
        self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast, text: str
    ) -> None:
        (passage,) = passages.passages([text])
        ids, offsets = unwind(passage)
        for token, (start, end) in zip(tiny_tokenizer.convert_ids_to_tokens(ids), offsets.tolist(), strict=True):
            piece = text[start:end]
            assert end == len(text) or unicodedata.category(text[end]) != "Mn" or token == "[UNK]"
            if token != "[UNK]":
                kept = [c for c in unicodedata.normalize("NFD", piece) if unicodedata.category(c)[0] not in "MC"]
                # half a character is said as a question mark, and marks that follow it are not said
                said = "".join(kept).lower() or "?" * sum(unicodedata.category(c) == "Cs" for c in piece)
                assert said == token.removeprefix("##")

    def test_of_a_cased_tokenizer_leave_marks_to_their_own_tokens(self, tmp_path: Path) -> None:
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Cafe", "##\u0301", "s"]
        (tmp_path / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
        cased = BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt"), do_lower_case=False)
        assert self.pieces(make(cased), "Cafe\u0301 s") == ["Cafe", "\u0301", "s"]

    @staticmethod
    def pieces(passages: PassageTokenizer, text: str) -> list[str]:
        _, offsets = unwind(passages.passages([text])[0])
        return [text[start:end] for start, end in offsets.tolist()]


class TestQuestion:
    def test_stands_between_its_special_tokens(
        self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast
    ) -> None:
        assert tiny_tokenizer.decode(passages.question("Which city?")) == "[CLS] which city? [SEP]"

    @pytest.mark.parametrize("question", ["", " ", "\n\t", None, 7, "\u200b", "\u0301 \x00"], ids=ascii)
    def test_blank_is_refused(self, passages: PassageTokenizer, question: Any) -> None:
        with pytest.raises(ValueError, match="at least one word"):
            passages.question(question)

    def test_too_long_is_cut_and_warned(
        self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast, caplog: pytest.LogCaptureFixture
    ) -> None:
        ids = passages.question("what is the capital of france in which city")
        assert tiny_tokenizer.decode(ids) == "[CLS] what is the capital of france [SEP]"
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert "9 tokens" in record.getMessage()
        assert "max_question_length=6" in record.getMessage()

    def test_longest_is_not_warned(self, passages: PassageTokenizer, caplog: pytest.LogCaptureFixture) -> None:
        assert len(passages.question("what is the capital of france")) == 8
        assert not caplog.records

    def test_lone_surrogate(self, passages: PassageTokenizer, tiny_tokenizer: BertTokenizerFast) -> None:
        assert tiny_tokenizer.decode(passages.question("paris \ud83d")) == "[CLS] paris? [SEP]"


def test_tokenizer_of_another_model_is_refused(tiny_tokenizer: BertTokenizerFast, make_tiny_bert: Any) -> None:
    rows = len(tiny_tokenizer) - 1
    model = DeFormerForQuestionAnswering.from_pretrained(make_tiny_bert(vocab_size=rows), 2)
    with pytest.raises(ValueError, match=rf"has {rows + 1} tokens and the model embeddings for {rows}: it is another"):
        PassageTokenizer(tiny_tokenizer, model.deformer_config, model.backbone)


def test_words_that_the_model_has_no_embedding_for_are_refused(make_tiny_bert: Any) -> None:
    """`vocab_size` does not count them."""
    folder = make_tiny_bert()
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    model = DeFormerForQuestionAnswering.from_pretrained(folder, 2)
    tokenizer.add_tokens(["[NEVER]"], special_tokens=True)
    tokenizer.add_special_tokens({"additional_special_tokens": ["[NEVER]"]})
    # one that no text is made of
    PassageTokenizer(tokenizer, model.deformer_config, model.backbone)
    tokenizer.add_tokens(["tokyo"])
    with pytest.raises(ValueError, match=r"or words were added to it\. .* embeddings \(resize_token_embeddings\)"):
        PassageTokenizer(tokenizer, model.deformer_config, model.backbone)


def test_tokenizer_without_special_tokens_is_refused(tiny_encoder: PassageEncoder) -> None:
    model = tiny_encoder.model
    bare = PreTrainedTokenizerFast(tokenizer_object=tiny_encoder.tokenizer.tokenizer.backend_tokenizer)
    with pytest.raises(
        ValueError, match=r"names no token for the beginning or the end of a block \(cls_token, sep_token"
    ):
        PassageTokenizer(bare, model.deformer_config, model.backbone)


def test_threads_get_what_one_gets(passages: PassageTokenizer) -> None:
    texts = [f"the capital of country {number} is city {number % 7} " * (number % 5 + 1) for number in range(64)]
    alone = [passages.passages([text])[0].window_ids for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: passages.passages([text])[0].window_ids, texts))
    assert together == alone


def test_special_tokens_in_a_text_are_text(tiny_encoder: PassageEncoder) -> None:
    tokenizer = tiny_encoder.tokenizer
    [passage] = tokenizer.passages(["paris [SEP] is [CLS] a city"])
    separator, start = tokenizer.layout.passage_suffix[0], tokenizer.layout.question_prefix[0]
    assert passage.window_ids[0].count(separator) == 1
    assert start not in passage.window_ids[0]
    assert tokenizer.question("what is [SEP]").count(separator) == 1
