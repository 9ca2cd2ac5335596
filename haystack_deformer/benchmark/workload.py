"""What is read: a model, passages and questions; made on the spot where the user gives none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from haystack.schema import Document
from transformers import BertConfig, BertForQuestionAnswering, BertTokenizerFast

from haystack_deformer.passages import load_tokenizer
from haystack_deformer.squad import load_squad

_WORDS = 20_000
# tokens of XQuAD's 80 English passages in BERT's uncased vocabulary, in order of length
XQUAD_LENGTHS = (
    *(34, 37, 37, 39, 75, 75, 86, 94, 96, 97, 98, 99, 100, 103, 105, 107, 107, 109, 112, 114, 115, 117, 118, 119, 121),
    *(124, 125, 125, 126, 126, 126, 128, 128, 130, 131, 132, 132, 133, 135, 135, 138, 138, 139, 140, 141, 141, 142),
    *(143, 144, 145, 152, 153, 154, 155, 155, 158, 160, 161, 162, 165, 165, 176, 178, 180, 184, 185, 190, 198, 198),
    *(199, 203, 207, 207, 208, 222, 233, 234, 244, 318, 505),
)
_QUESTION_TOKENS = 13


@dataclass(frozen=True)
class Workload:
    """
    What a benchmark reads.

    :param model: name or folder.
    :param lower_layers: the cut; None: what the model records.
    :param questions: some texts.
    :param documents: passages.
    :param description: of all that, in a line.
    """

    model: str
    lower_layers: int | None
    questions: Sequence[str]
    documents: Sequence[Document]
    description: str

    @cached_property
    def words(self) -> list[str]:
        """Words of one token each, for passages of a given length; looked for when they are asked for."""
        return one_token_words(self.model)


def make_bert(folder: str | os.PathLike[str], seed: int = 0, **config: int) -> Path:
    """
    A question-answering model of BERT-base's shape with random weights: right for timings, useless for answers.

    :param folder: where to write it.
    :param seed: of the weights.
    :param config: other values of BERT's config.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # short words of letters, one token each
    words = [f"w{number:x}" for number in range(_WORDS)]
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]), "utf-8")
    torch.manual_seed(seed)
    # BERT's own vocabulary size: the embeddings weigh in memory and on disk
    model = BertForQuestionAnswering(BertConfig(**{"vocab_size": 30_522, **config}))
    model.save_pretrained(folder, safe_serialization=True)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def one_token_words(model: str) -> list[str]:
    """
    Words that are a token each where they stand among others.

    :param model: name or folder, for its tokenizer.
    """
    tokenizer = load_tokenizer(model)
    # without the marks that byte-level and sentencepiece tokenizers put before a word
    words = sorted({token.lstrip("Ġ▁") for token in tokenizer.get_vocab()})
    words = [word for word in words if word.isalnum() and word.isascii()]
    alone = len(tokenizer("a", add_special_tokens=False)["input_ids"])
    ids = tokenizer([f"a {word}" for word in words], add_special_tokens=False)["input_ids"]
    return [word for word, tokens in zip(words, ids, strict=True) if len(tokens) == alone + 1]


def random_text(rng: np.random.Generator, words: Sequence[str], tokens: int) -> str:
    """
    Words in any order.

    :param rng: decides it.
    :param words: of one token each.
    :param tokens: how many.
    """
    return " ".join(words[number] for number in rng.integers(len(words), size=tokens))


def random_documents(rng: np.random.Generator, words: Sequence[str], lengths: Sequence[int]) -> list[Document]:
    """
    Passages of given lengths.

    :param rng: decides their words.
    :param words: of one token each.
    :param lengths: tokens of each.
    """
    return [Document(content=random_text(rng, words, int(length))) for length in lengths]


def load_workload(
    folder: Path,
    model: str | None = None,
    lower_layers: int | None = None,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> Workload:
    """
    The workload of a benchmark.

    :param folder: where a model is made, if one is.
    :param model: name or folder; None: a BERT-base with random weights, cut at 9.
    :param lower_layers: the cut; None: what the model records, 9 for the one that is made.
    :param data: file in SQuAD format with questions and passages; None: random words in passages of XQuAD's lengths.
    :param seed: of the random weights, words and order.
    """
    rng = np.random.default_rng(seed)
    name = "a BERT-base with random weights" if model is None else model
    if model is None:
        model = str(make_bert(folder / "bert-base-random", seed))
        lower_layers = 9 if lower_layers is None else lower_layers
    if data is None:
        words = one_token_words(model)
        documents = random_documents(rng, words, rng.permutation(XQUAD_LENGTHS).tolist())
        questions = [f"{random_text(rng, words, _QUESTION_TOKENS - 1)}?" for _ in range(50)]
        what = "random words in passages of XQuAD's lengths"
    else:
        examples = load_squad(data, keep_misplaced=True)[0]
        documents = [Document(content=text) for text in dict.fromkeys(example.context for example in examples)]
        questions = [example.question for example in examples]
        what = Path(data).name
    return Workload(model, lower_layers, questions, documents, f"{name}, {what}")
