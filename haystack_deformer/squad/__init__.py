"""Question-answering data in SQuAD format: read, written, divided by passages."""

from haystack_deformer.squad.examples import SquadExample, SquadReport
from haystack_deformer.squad.held_out import check_held_out, is_held_out, split_held_out
from haystack_deformer.squad.reading import load_passages, load_squad
from haystack_deformer.squad.writing import save_questions

__all__ = [
    "SquadExample",
    "SquadReport",
    "check_held_out",
    "is_held_out",
    "load_passages",
    "load_squad",
    "save_questions",
    "split_held_out",
]
