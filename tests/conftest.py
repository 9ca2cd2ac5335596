"""Tiny random models, made on the spot: no test loads anything from a hub."""

from __future__ import annotations

import os

# before transformers or haystack is imported: both read it then
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import logging
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForQuestionAnswering, BertModel, BertTokenizerFast

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.passages import PassageEncoder, PassageTokenizer, load_tokenizer

torch.set_num_threads(1)

WORDS = [
    *("the", "a", "of", "in", "is", "was", "who", "what", "where", "when", "which"),
    *("paris", "france", "capital", "berlin", "germany", "river", "city", "python", "reader"),
]


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The command sets the level of our loggers, for its own process."""
    logger = logging.getLogger("haystack_deformer")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def tiny_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> BertTokenizerFast:
    """WordPiece over single characters and a few words: tokenizes any text, the unknown characters as [UNK]."""
    characters = string.ascii_lowercase + string.digits + string.punctuation
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *characters, *(f"##{c}" for c in characters)]
    path = tmp_path_factory.mktemp("tokenizer") / "vocab.txt"
    path.write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf-8")
    return BertTokenizerFast(vocab_file=str(path), do_lower_case=True)


@pytest.fixture(scope="session")
def make_tiny_bert(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: BertTokenizerFast) -> Any:
    """A factory of folders that hold a plain BERT question-answering checkpoint of transformers, or an encoder."""

    def make(seed: int = 0, *, head: bool = True, layers: int = 4, **config: Any) -> Path:
        torch.manual_seed(seed)
        values = {
            "vocab_size": len(tiny_tokenizer),
            "hidden_size": 32,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "intermediate_size": 64,
            "max_position_embeddings": 512,
            # wider than BERT's 0.02, so that the random model's answers depend on its input
            "initializer_range": 0.2,
            **config,
        }
        model = (BertForQuestionAnswering if head else BertModel)(BertConfig(**values))
        folder = tmp_path_factory.mktemp("bert")
        model.save_pretrained(folder, safe_serialization=True)
        tiny_tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_bert(make_tiny_bert: Any) -> Path:
    """A BERT question-answering checkpoint of 4 layers, 32 wide, without a cut."""
    return make_tiny_bert()


@pytest.fixture(scope="session")
def tiny_deformer(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `save_pretrained`: the same weights, cut after layer 2, windows of 40 tokens, stride 20."""
    model = DeFormerForQuestionAnswering.from_pretrained(
        tiny_bert, 2, max_seq_len=62, doc_stride=20, max_question_length=20
    )
    folder = tmp_path_factory.mktemp("deformer")
    model.save_pretrained(folder, load_tokenizer(tiny_bert))
    return folder


@pytest.fixture
def tiny_encoder(tiny_deformer: Path) -> PassageEncoder:
    """The model of `tiny_deformer` with its tokenizer, not shared with other tests."""
    model = DeFormerForQuestionAnswering.from_pretrained(tiny_deformer)
    passages = PassageTokenizer(load_tokenizer(tiny_deformer), model.deformer_config, model.backbone)
    return PassageEncoder(model, passages, name="tiny")
