"""The cut, the lengths, and the special tokens around the blocks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from haystack_deformer.modeling import DeFormerConfig, InputLayout

BERT = InputLayout(question_prefix=(101,), question_suffix=(102,), passage_prefix=(), passage_suffix=(102,))


class TestDeFormerConfig:
    def test_round_trips_through_json(self) -> None:
        config = DeFormerConfig(4, max_seq_len=320, doc_stride=100, score_scale=0.3, score_shift=-1.5)
        assert DeFormerConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config

    def test_fields_left_out_take_their_defaults(self) -> None:
        assert DeFormerConfig.from_dict({"lower_layers": 4}) == DeFormerConfig(4)

    def test_unknown_fields_are_named(self) -> None:
        with pytest.raises(ValueError, match=r"\['a', 'b'\].*lower_layers"):
            DeFormerConfig.from_dict({"lower_layers": 4, "b": 1, "a": 1})

    @pytest.mark.parametrize("values", [{"max_seq_len": 128}, {}, [4], 4, "4"], ids=str)
    def test_a_section_without_a_cut_is_shown(self, values: Any) -> None:
        with pytest.raises(ValueError, match=r"'deformer' section of config\.json .* with lower_layers, got ") as error:
            DeFormerConfig.from_dict(values)
        assert repr(values) in str(error.value)

    def test_a_number_written_as_text_is_one(self) -> None:
        assert DeFormerConfig.from_dict({"lower_layers": "4"}) == DeFormerConfig(4)

    @pytest.mark.parametrize(
        "values",
        [
            {"lower_layers": -1},
            {"max_seq_len": 0},
            {"doc_stride": 0},
            {"doc_stride": -5},
            {"max_question_length": 0},
            {"max_answer_length": 0},
            {"score_scale": 0.0},
            {"score_scale": -1.0},
            {"lower_layers": 2.5},
            {"lower_layers": True},
            {"doc_stride": "many"},
            {"max_seq_len": None},
            {"score_scale": float("nan")},
            {"score_shift": float("inf")},
            {"score_shift": "high"},
        ],
        ids=str,
    )
    def test_out_of_range_names_the_field(self, values: dict[str, Any]) -> None:
        ((name, value),) = values.items()
        with pytest.raises(ValueError, match=rf"{name} must be .*{value}"):
            DeFormerConfig(**{"lower_layers": 2, **values})


class TestPassageLength:
    def test_does_not_leave_the_longest_question_out(self) -> None:
        config = DeFormerConfig(2, max_seq_len=320, max_question_length=25)
        # 27 for the question with [CLS] and [SEP], the rest for the passage with its [SEP]
        assert config.passage_length(BERT) == 293

    def test_longest_question_may_not_take_all(self) -> None:
        with pytest.raises(ValueError, match=r"max_seq_len=67.*max_question_length=64"):
            DeFormerConfig(2, max_seq_len=67, max_question_length=64, doc_stride=1).passage_length(BERT)
        assert DeFormerConfig(2, max_seq_len=68, max_question_length=64, doc_stride=1).passage_length(BERT) == 2

    def test_stride_may_leave_no_token_out(self) -> None:
        assert DeFormerConfig(2, max_seq_len=100, max_question_length=20, doc_stride=77).passage_length(BERT) == 78
        with pytest.raises(ValueError, match=r"doc_stride=78 .*77 tokens.*at most 77"):
            DeFormerConfig(2, max_seq_len=100, max_question_length=20, doc_stride=78).passage_length(BERT)


class TestInputLayout:
    def test_blocks(self) -> None:
        assert BERT.question([7, 8]) == [101, 7, 8, 102]
        assert BERT.passage([7, 8]) == [7, 8, 102]
        assert (BERT.question_specials, BERT.passage_specials) == (2, 1)

    def test_counts_prefixes_and_suffixes(self) -> None:
        layout = InputLayout(question_prefix=(0,), question_suffix=(2, 2), passage_prefix=(1, 1), passage_suffix=(2,))
        assert layout.question([]) == [0, 2, 2]
        assert layout.passage([9]) == [1, 1, 9, 2]
        assert (layout.question_specials, layout.passage_specials) == (3, 3)
