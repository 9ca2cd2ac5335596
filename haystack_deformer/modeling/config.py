"""What a decomposed model is beside its weights: the cut, the lengths of its blocks, the scale of its scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from haystack_deformer.parameters import as_float, as_int


@dataclass(frozen=True)
class DeFormerConfig:
    """
    The part of `config.json` that is DeFormer's; the rest is the backbone's own.

    :param lower_layers: the cut k: layers 1..k see the question and the passage apart, the layers above see both.
        0 is full attention in every layer, the paper's teacher. The passage's positions begin at 0 there too, which a
        plain checkpoint was not trained for: its answers are worse than by transformers' own classes.
    :param max_seq_len: tokens of a question and a window of a passage together, special tokens included.
    :param doc_stride: tokens from the start of one window of a long passage to the start of the next.
    :param max_question_length: tokens of a question without its special tokens; a longer one is cut.
    :param max_answer_length: tokens of the longest answer.
    :param score_scale: slope of the sigmoid that turns a span's logits less the null logits into a score.
    :param score_shift: what is added before the sigmoid.
    """

    lower_layers: int
    max_seq_len: int = 256
    doc_stride: int = 128
    max_question_length: int = 64
    max_answer_length: int = 30
    # FARM's unscaled confidence divides the sum of two logits by 8; kept until a calibration says better
    score_scale: float = 0.125
    score_shift: float = 0.0

    def __post_init__(self) -> None:
        # they may have been written into config.json by hand
        object.__setattr__(self, "lower_layers", as_int("lower_layers", self.lower_layers, least=0))
        for name in ("max_seq_len", "doc_stride", "max_question_length", "max_answer_length"):
            object.__setattr__(self, name, as_int(name, getattr(self, name)))
        for name in ("score_scale", "score_shift"):
            object.__setattr__(self, name, as_float(name, getattr(self, name)))
            if math.isinf(getattr(self, name)):
                msg = f"{name} must be finite, got {getattr(self, name)}."
                raise ValueError(msg)
        if self.score_scale <= 0:
            msg = f"score_scale must be positive, got {self.score_scale}: a better span would get a lower score."
            raise ValueError(msg)

    def check_layers(self, layers: int) -> None:
        """
        Refuse a cut that leaves no layer above it.

        :param layers: of the whole model.
        :raises ValueError: names both.
        """
        if self.lower_layers >= layers:
            msg = (
                f"lower_layers={self.lower_layers} does not fit a model of {layers} layers: give 0 (no cut) to "
                f"{layers - 1}."
            )
            raise ValueError(msg)

    def passage_length(self, layout: InputLayout) -> int:
        """
        Tokens of one window of a passage, special tokens included.

        It does not depend on the question that is asked, only on the longest that may be.

        :param layout: the special tokens around the two blocks.
        :raises ValueError: where the question leaves the passage no room, or the stride would leave tokens out.
        """
        length = self.max_seq_len - self.max_question_length - layout.question_specials
        text = length - layout.passage_specials
        if text < 1:
            msg = (
                f"max_seq_len={self.max_seq_len} leaves no room for a passage beside a question of "
                f"max_question_length={self.max_question_length}: raise the first or lower the second."
            )
            raise ValueError(msg)
        if self.doc_stride > text:
            msg = (
                f"doc_stride={self.doc_stride} is longer than the {text} tokens of a passage's window, so that tokens "
                f"between two windows would be left out: give at most {text}."
            )
            raise ValueError(msg)
        return length

    def to_dict(self) -> dict[str, Any]:
        """As it stands under `deformer` in `config.json`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DeFormerConfig:
        """
        Read what `to_dict` made.

        :param values: the `deformer` section; fields that this version does not know are refused.
        """
        if not isinstance(values, dict) or "lower_layers" not in values:
            msg = f"The 'deformer' section of config.json must be an object with lower_layers, got {values!r:.200}."
            raise ValueError(msg)
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            msg = f"Unknown fields in the 'deformer' section of config.json: {unknown}. Known are {sorted(known)}."
            raise ValueError(msg)
        return cls(**values)


@dataclass(frozen=True)
class InputLayout:
    """
    The special tokens around the two blocks, as token ids.

    :param question_prefix: before the question's tokens, `[CLS]` for BERT.
    :param question_suffix: after them, `[SEP]`.
    :param passage_prefix: before the passage's tokens, nothing for BERT.
    :param passage_suffix: after them, `[SEP]`.
    """

    question_prefix: tuple[int, ...]
    question_suffix: tuple[int, ...]
    passage_prefix: tuple[int, ...]
    passage_suffix: tuple[int, ...]

    @property
    def question_specials(self) -> int:
        """How many special tokens a question gets."""
        return len(self.question_prefix) + len(self.question_suffix)

    @property
    def passage_specials(self) -> int:
        """How many special tokens a window of a passage gets."""
        return len(self.passage_prefix) + len(self.passage_suffix)

    def question(self, token_ids: Sequence[int]) -> list[int]:
        """The question's block: its tokens between its special tokens."""
        return [*self.question_prefix, *token_ids, *self.question_suffix]

    def passage(self, token_ids: Sequence[int]) -> list[int]:
        """One window of a passage: its tokens between its special tokens."""
        return [*self.passage_prefix, *token_ids, *self.passage_suffix]
