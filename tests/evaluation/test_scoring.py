"""Figures of one model through several codecs."""

from __future__ import annotations

from typing import Any

import pytest

from haystack_deformer.evaluation import Evaluation, evaluate, evaluate_codecs, prediction, score
from haystack_deformer.passages import PassageEncoder
from haystack_deformer.squad import SquadExample

CODECS = ("Flat", "SQfp16", "SQ8", "SQ4")
TEXTS = [
    f"{capital} is the capital of {country} {'in the river ' * number}"
    for number in range(4)
    for capital, country in (("paris", "france"), ("berlin", "germany"))
]


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> list[SquadExample]:
    """Two questions on each of eight passages, which are held three at a time; the last question has no token."""
    monkeypatch.setattr(prediction, "_PASSAGES_AT_ONCE", 3)
    asked = [
        SquadExample(f"{question}-{number}", question, text, ((text.split()[0], 0),), (text.split()[0],))
        for number, text in enumerate(TEXTS)
        for question in ("what is the capital", "where is the river")
    ]
    return [*asked, SquadExample("blank", "\u200b", TEXTS[0], (), ())]


def test_no_figure_depends_on_the_order_of_the_questions() -> None:
    """squad_evaluate's best thresholds do where it is given no probabilities of "no answer"."""
    answerable = [SquadExample(f"a{number}", "what", "paris", (("paris", 0),), ("paris",)) for number in range(2)]
    unanswerable = [SquadExample(f"u{number}", "what", "paris", (), ()) for number in range(2)]
    answers = {example.id: "paris" for example in (*answerable, *unanswerable)}
    metrics = score([*answerable, *unanswerable], answers).metrics
    assert metrics == score([*unanswerable, *answerable], answers).metrics
    assert metrics["f1"] == metrics["exact"] == 50
    assert metrics["NoAns_f1"] == 0


def test_codecs_together_and_one_by_one(tiny_encoder: PassageEncoder, examples: list[SquadExample]) -> None:
    together = evaluate_codecs(tiny_encoder, examples, CODECS, no_answer=False, progress_bar=False)
    alone: dict[str, Evaluation] = {
        codec: evaluate(tiny_encoder, examples, codec=codec, no_answer=False, progress_bar=False) for codec in CODECS
    }
    assert together == alone
    assert list(together) == list(CODECS)
    # four bits are coarse enough for the random model to answer otherwise: each went through its own codec
    assert together["SQ4"].predictions != together["Flat"].predictions
    assert together["Flat"].predictions["blank"] == ""
    assert all(together["Flat"].predictions[example.id] for example in examples[:-1])


def test_every_passage_is_encoded_once(
    tiny_encoder: PassageEncoder, examples: list[SquadExample], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[list[str]] = []
    encode = PassageEncoder.encode

    def recording(self: PassageEncoder, texts: Any, **values: Any) -> Any:
        encoded.append(list(texts))
        return encode(self, texts, **values)

    monkeypatch.setattr(PassageEncoder, "encode", recording)
    evaluate_codecs(tiny_encoder, examples, CODECS, progress_bar=False)
    assert encoded == [TEXTS[:3], TEXTS[3:6], TEXTS[6:]]
    # where they are long fewer are held at once
    encoded.clear()
    longest = max(map(len, TEXTS))
    monkeypatch.setattr(prediction, "BYTES_IN_MEMORY", 2 * longest)
    evaluate_codecs(tiny_encoder, examples, CODECS, progress_bar=False)
    assert [text for texts in encoded for text in texts] == TEXTS
    assert len(encoded) > 3
    assert all(sum(map(len, texts)) <= longest for texts in encoded)


def test_a_codec_that_faiss_does_not_know(tiny_encoder: PassageEncoder, examples: list[SquadExample]) -> None:
    with pytest.raises(ValueError, match="SQ5"):
        evaluate_codecs(tiny_encoder, examples, ("SQ8", "SQ5"), progress_bar=False)
