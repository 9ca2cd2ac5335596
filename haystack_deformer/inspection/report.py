"""What an inspection says, for programs and for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CutCosts:
    """
    What one cut costs at query time.

    :param lower_layers: the cut k.
    :param compute_ratio: how many times less is computed than without a cut, by arithmetic.
    :param milliseconds: for a question on all passages, their states at hand.
    :param speedup: the milliseconds without a cut, divided by these.
    """

    lower_layers: int
    compute_ratio: float
    milliseconds: float
    speedup: float


@dataclass(frozen=True)
class Inspection:
    """
    A model's cuts, and what its states take to store.

    :param model: name or folder.
    :param model_type: the family.
    :param num_layers: of the whole model.
    :param hidden_size: width of a state.
    :param lower_layers: the cut that the model records; None: none.
    :param question_length: tokens of the question, special tokens included.
    :param passage_length: tokens of each passage, special tokens included.
    :param passages: how many are read for a question.
    :param threads: of torch, in the measurement.
    :param device: where it was measured.
    :param cuts: for each k from 0.
    :param bytes_per_passage: by codec, the states alone.
    """

    model: str
    model_type: str
    num_layers: int
    hidden_size: int
    lower_layers: int | None
    question_length: int
    passage_length: int
    passages: int
    threads: int
    device: str
    cuts: list[CutCosts]
    bytes_per_passage: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    def to_table(self) -> str:
        """As a person reads it."""
        recorded = "no cut recorded" if self.lower_layers is None else f"cut after layer {self.lower_layers}"
        lines = [
            f"{self.model}: {self.model_type}, {self.num_layers} layers, {self.hidden_size} wide, {recorded}",
            (
                f"A question of {self.question_length} tokens, {self.passages} passages of {self.passage_length}; "
                f"{self.device}, {self.threads} threads"
            ),
            "",
            f"{'k':>3}  {'compute':>9}  {'ms':>9}  {'faster':>7}",
        ]
        lines += [
            f"{cut.lower_layers:>3}  {f'1/{cut.compute_ratio:.2f}':>9}  {cut.milliseconds:>9.1f}  {cut.speedup:>6.2f}x"
            for cut in self.cuts
        ]
        lines += ["", "States of a passage, by codec:"]
        lines += [f"{codec:>8}  {size:>11,} bytes" for codec, size in self.bytes_per_passage.items()]
        lines += [
            "",
            "compute: multiplications of the layers, by arithmetic. ms: of the model alone, weights and states random;",
            "all layers over the question and all over the joined sequences were timed, divided by their number and",
            "summed for each k. Tokenizing, retrieval and reading the states come on top.",
        ]
        return "\n".join(lines)
