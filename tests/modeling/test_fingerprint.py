"""Digests: equal for equal things in any order, different for all else. See test_deformer.py for the weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoModelForQuestionAnswering

from haystack_deformer.modeling.backbones.bert import BertBackbone
from haystack_deformer.modeling.fingerprint import canonical_json, fingerprint_parts, fingerprint_weights


def test_parts_do_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint_parts({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint_parts({"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize("other", [{"a": 2, "b": [1, 2]}, {"a": 1, "b": [2, 1]}, {"a": 1}, {"a": "1", "b": [1, 2]}])
def test_parts_depend_on_all_else(other: dict[str, object]) -> None:
    assert fingerprint_parts({"a": 1, "b": [1, 2]}) != fingerprint_parts(other)


def test_canonical_json_takes_tuples_as_lists() -> None:
    assert canonical_json({"b": (1, 2), "a": "é"}) == canonical_json({"a": "é", "b": [1, 2]})


def test_weights_do_not_depend_on_dropout(tiny_bert: Path) -> None:
    model = AutoModelForQuestionAnswering.from_pretrained(tiny_bert)
    before = fingerprint_weights(BertBackbone(model), 2)
    model.config.hidden_dropout_prob = 0.9
    assert fingerprint_weights(BertBackbone(model), 2) == before


def test_weights_stored_in_fp16_count_as_what_they_are(tiny_bert: Path) -> None:
    half = AutoModelForQuestionAnswering.from_pretrained(tiny_bert).half()
    digest = fingerprint_weights(BertBackbone(half), 2)
    assert fingerprint_weights(BertBackbone(half.float()), 2) == digest
