"""Tiny fast tokenizers of every kind, trained on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import (
    ByteLevelBPETokenizer,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AlbertTokenizerFast,
    BertTokenizerFast,
    DebertaV2TokenizerFast,
    PreTrainedTokenizerFast,
    RobertaTokenizerFast,
    XLMRobertaTokenizerFast,
    XLNetTokenizerFast,
)

CORPUS = [
    "Paris is the capital of France and a city on a river.",
    "the city of Berlin, the capital of Germany; Paris, again the city of Paris.",
    "Python is a reader of rivers. Which city? The City.",
    "caf\u00e9 na\u00efve \u4e2d\u6587 \u6771\u4eac \ud55c\uad6d \U0001f600 \u2764\ufe0f",
] * 8


def wordpiece(folder: Path) -> PreTrainedTokenizerFast:
    letters = sorted({letter for text in CORPUS for letter in text if not letter.isspace()})
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Paris", "city", *letters, *(f"##{one}" for one in letters)]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    return BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), do_lower_case=False)


def roberta(folder: Path) -> PreTrainedTokenizerFast:
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(CORPUS, 400, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return RobertaTokenizerFast(*tokenizer.save_model(str(folder)))


def modernbert(folder: Path) -> PreTrainedTokenizerFast:
    specials = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=joined(tokenizer, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]"),
        **dict(zip(("cls_token", "sep_token", "pad_token", "unk_token", "mask_token"), specials, strict=True)),
    )


def unigram(
    family: type[PreTrainedTokenizerFast], single: str, pair: str, *steps: Any, split: bool = False
) -> Callable[[Path], PreTrainedTokenizerFast]:
    """As transformers converts a sentencepiece model, with NFKC in place of its own normalisation."""

    def make(folder: Path) -> PreTrainedTokenizerFast:
        specials = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "[CLS]", "[SEP]", "[PAD]", "<mask>", "[MASK]"]
        tokenizer = Tokenizer(models.Unigram())
        spaces = normalizers.Replace(Regex(" {2,}"), " ")
        tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.NFKC(), spaces])
        metaspace = pre_tokenizers.Metaspace()
        parts = [pre_tokenizers.WhitespaceSplit(), metaspace] if split else [metaspace]
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=200, special_tokens=specials, unk_token="<unk>", show_progress=False
        )
        tokenizer.train_from_iterator(CORPUS, trainer)
        joined(tokenizer, single, pair).save(str(folder / "tokenizer.json"))
        return family(tokenizer_file=str(folder / "tokenizer.json"), unk_token="<unk>")

    return make


def joined(tokenizer: Tokenizer, single: str, pair: str) -> Tokenizer:
    names = {name for name in pair.split() if not name.startswith("$")}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[(name, tokenizer.token_to_id(name)) for name in sorted(names)]
    )
    return tokenizer


BERT_LIKE = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]")
TOKENIZERS = {
    "albert": unigram(AlbertTokenizerFast, *BERT_LIKE, normalizers.NFKD(), normalizers.StripAccents()),
    "bert": wordpiece,
    "deberta-v2": unigram(DebertaV2TokenizerFast, *BERT_LIKE),
    "modernbert": modernbert,
    "roberta": roberta,
    "xlm-roberta": unigram(XLMRobertaTokenizerFast, "<s> $A </s>", "<s> $A </s> </s> $B </s>", split=True),
    "xlnet": unigram(
        XLNetTokenizerFast,
        "$A <sep> <cls>",
        "$A <sep> $B <sep> <cls>",
        normalizers.NFKD(),
        normalizers.StripAccents(),
    ),
}
