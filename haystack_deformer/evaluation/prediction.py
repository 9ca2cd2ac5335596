"""Answers to labelled questions by the way that a reader takes: states through a codec, then the upper layers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from tqdm import tqdm

from haystack_deformer.inference import PassageReader
from haystack_deformer.passages import EmptyQuestionError, PassageEncoder
from haystack_deformer.passages.chunks import BYTES_IN_MEMORY, in_chunks
from haystack_deformer.representations import PassageRepresentation, Representations
from haystack_deformer.runtime import Runtime
from haystack_deformer.squad import SquadExample

logger = logging.getLogger(__name__)

_PASSAGES_AT_ONCE = 256
"""
Passages whose states are held at once, fewer where they are long: half as much text as a reader holds, since beside the
states in fp32 there are those that one codec at a time has coded.
"""


def predict_answers(
    encoder: PassageEncoder,
    examples: Sequence[SquadExample],
    codecs: Sequence[str],
    *,
    runtime: Runtime | None = None,
    batch_size: int = 50,
    no_answer: bool = False,
    progress_bar: bool = True,
) -> dict[str, dict[str, str]]:
    """
    Ask each question of its own passage, once through each codec. The passages run through the lower layers once.

    :param encoder: the model and its tokenizer.
    :param examples: from `load_squad`.
    :param codecs: factory strings of the codecs that the states go through.
    :param runtime: runs the questions and the upper layers; None: PyTorch in fp32.
    :param batch_size: windows that run through the upper layers at once, at most.
    :param no_answer: whether "no answer" may be predicted.
    :param progress_bar: whether to show one.
    :return: for each codec the answers by question id; empty for "no answer".
    :raises ValueError: for a codec that faiss does not know.
    """
    codecs = list(dict.fromkeys(codecs))
    by_context: dict[str, list[SquadExample]] = {}
    unreadable: dict[str, str] = {}
    for example in examples:
        if has_tokens(encoder, example):
            by_context.setdefault(example.context, []).append(example)
        else:
            unreadable[example.id] = ""
    predictions = {codec: dict(unreadable) for codec in codecs}
    with ExitStack() as stack:
        readers = {codec: _CodecReader(encoder, codec, runtime, batch_size, no_answer=no_answer) for codec in codecs}
        for reader in readers.values():
            stack.enter_context(reader.representations)
        bar = stack.enter_context(
            tqdm(
                total=len(examples) * len(codecs),
                initial=len(unreadable) * len(codecs),
                desc="Evaluating",
                unit=" questions",
                disable=not progress_bar,
            )
        )
        for chunk in in_chunks(((context, context) for context in by_context), BYTES_IN_MEMORY // 2, _PASSAGES_AT_ONCE):
            states = dict(zip(chunk, encoder.encode(chunk), strict=True))
            for codec, reader in readers.items():
                predictions[codec].update(reader.read(states, by_context, bar))
            # before the next are made: they are the most that is held
            del states
    return predictions


class _CodecReader:
    """Reads passages through one codec, and holds their coded states no longer than that."""

    def __init__(
        self, encoder: PassageEncoder, codec: str, runtime: Runtime | None, batch_size: int, *, no_answer: bool
    ) -> None:
        self.representations = Representations.open(encoder.manifest(codec), training_sample=encoder.sample_states)
        self._reader = PassageReader(
            encoder, self.representations, runtime=runtime, batch_size=batch_size, top_k_per_passage=1
        )
        self._no_answer = no_answer

    def read(
        self, states: Mapping[str, PassageRepresentation], asked: Mapping[str, Sequence[SquadExample]], bar: tqdm
    ) -> dict[str, str]:
        """
        Answers by question id.

        :param states: of passages, by text.
        :param asked: the questions on each text.
        :param bar: counts them.
        """
        keys = {context: self.representations.key(context) for context in states}
        self.representations.put({keys[context]: representation for context, representation in states.items()})
        predictions = {}
        for context in states:
            questions = [example.question for example in asked[context]]
            reading = self._reader.read_pairs(questions, [context], [(number, 0) for number in range(len(questions))])
            for example, spans in zip(asked[context], reading.spans, strict=True):
                best = spans[0] if spans and (spans[0].margin > 0 or not self._no_answer) else None
                predictions[example.id] = context[best.start : best.end] if best else ""
            bar.update(len(questions))
        self.representations.delete(list(keys.values()))
        return predictions


def has_tokens(encoder: PassageEncoder, example: SquadExample) -> bool:
    """
    Whether there is anything to ask; a question of zero-width spaces is counted as not answered, with a warning.

    :param encoder: has the tokenizer.
    :param example: with the question.
    """
    try:
        encoder.tokenizer.question(example.question)
    except EmptyQuestionError as error:
        logger.warning("Question %s counts as not answered: %s", example.id, error)
        return False
    return True
