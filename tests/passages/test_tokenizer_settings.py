"""Which tokenizers and lengths a passage tokenizer takes, and what its fingerprint tells apart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForQuestionAnswering, BertTokenizer, BertTokenizerFast

from haystack_deformer.modeling import DeFormerConfig
from haystack_deformer.modeling.backbones.bert import BertBackbone
from haystack_deformer.passages import PassageTokenizer, load_tokenizer
from tests.passages.windows import make, tokens_of, unwind


class TestSettings:
    def test_slow_tokenizer_is_refused(self, tiny_tokenizer: BertTokenizerFast, tmp_path: Path) -> None:
        slow = BertTokenizer(vocab_file=tiny_tokenizer.save_vocabulary(str(tmp_path))[0])
        with pytest.raises(ValueError, match=r"BertTokenizer is a slow tokenizer.*use_fast=True"):
            make(slow)

    def test_stride_too_large_is_refused(self, tiny_tokenizer: BertTokenizerFast) -> None:
        with pytest.raises(ValueError, match="doc_stride=11"):
            make(tiny_tokenizer, stride=11)

    @pytest.mark.parametrize(
        ("lengths", "culprit"),
        [
            ({"max_seq_len": 60, "max_question_length": 20}, "max_seq_len=60"),
            ({"max_seq_len": 60, "max_question_length": 40}, "max_question_length=40"),
        ],
        ids=["window", "question"],
    )
    def test_blocks_longer_than_the_positions_are_refused(
        self, make_tiny_bert: Any, tiny_tokenizer: BertTokenizerFast, lengths: dict[str, int], culprit: str
    ) -> None:
        folder = make_tiny_bert(layers=1, max_position_embeddings=32)
        backbone = BertBackbone(AutoModelForQuestionAnswering.from_pretrained(folder))
        with pytest.raises(ValueError, match=rf"{culprit} makes a block of .* positions for 32"):
            PassageTokenizer(tiny_tokenizer, DeFormerConfig(0, doc_stride=8, **lengths), backbone)
        PassageTokenizer(
            tiny_tokenizer, DeFormerConfig(0, doc_stride=8, max_seq_len=62, max_question_length=28), backbone
        )

    def test_truncation_and_padding_of_the_callers_tokenizer_do_not_count(
        self, tiny_bert: Path, tiny_tokenizer: BertTokenizerFast
    ) -> None:
        """Sentence encoders record a truncation in tokenizer.json, and any call sets one anew."""
        text = "paris city " * 20
        own = load_tokenizer(tiny_bert)
        own.backend_tokenizer.enable_truncation(3)
        own.backend_tokenizer.enable_padding(length=64)
        passages = make(own)
        own(text, truncation=True, max_length=5, padding="max_length")
        assert unwind(passages.passages([text, "paris"])[0])[0] == tokens_of(tiny_tokenizer, text)
        assert passages.fingerprint == make(tiny_tokenizer).fingerprint


class TestFurtherSpecialTokens:
    def test_stand_in_texts_as_the_model_was_trained(self, make_tiny_bert: Any, tiny_bert: Path) -> None:
        own = load_tokenizer(tiny_bert)
        own.add_special_tokens({"additional_special_tokens": ["[TITLE]"]})
        text = "[TITLE] paris [SEP] [CLS]"
        model = AutoModelForQuestionAnswering.from_pretrained(tiny_bert)
        lengths = DeFormerConfig(0, max_seq_len=62, doc_stride=8, max_question_length=20)
        # without an embedding of its own it is a text like others
        assert max(PassageTokenizer(own, lengths, BertBackbone(model)).question(text)) < model.config.vocab_size
        model.resize_token_embeddings(len(own))
        passages = PassageTokenizer(own, lengths, BertBackbone(model))
        title = own.convert_tokens_to_ids("[TITLE]")
        assert passages.question(text)[1:3] == [title, own.convert_tokens_to_ids("paris")]
        # those of the layout still end nothing
        assert own.sep_token_id not in passages.question(text)[:-1]
        assert own.cls_token_id not in passages.question(text)[1:]
        assert unwind(passages.passages([text])[0])[0][0] == title


class TestFingerprint:
    def test_is_the_same_for_the_same(self, tiny_tokenizer: BertTokenizerFast, tiny_bert: Path) -> None:
        assert make(tiny_tokenizer).fingerprint == make(load_tokenizer(tiny_bert)).fingerprint

    def test_changes_with_window_and_stride(self, tiny_tokenizer: BertTokenizerFast) -> None:
        prints = [make(tiny_tokenizer, *lengths).fingerprint for lengths in ((10, 4), (11, 4), (10, 5))]
        assert all(one != other for one, other in ((prints[0], prints[1]), (prints[0], prints[2])))

    def test_changes_with_the_tokenizer(self, tiny_tokenizer: BertTokenizerFast, tmp_path: Path) -> None:
        vocabulary = Path(tiny_tokenizer.save_vocabulary(str(tmp_path))[0])
        cased = BertTokenizerFast(vocab_file=str(vocabulary), do_lower_case=False)
        assert make(cased).fingerprint != make(tiny_tokenizer).fingerprint


class TestLoadTokenizer:
    def test_is_the_fast_one(self, tiny_bert: Path) -> None:
        assert load_tokenizer(tiny_bert).is_fast

    def test_is_made_from_a_vocabulary_alone(self, tiny_bert: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(tiny_bert, tmp_path / "model")
        (folder / "tokenizer.json").unlink()
        assert load_tokenizer(folder).is_fast
