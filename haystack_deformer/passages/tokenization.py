"""Text to token ids: the question's block, and the windows of a passage with each token's place in the text."""

from __future__ import annotations

import json
import logging
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from haystack_deformer.modeling.backbones import Backbone
from haystack_deformer.modeling.config import DeFormerConfig

logger = logging.getLogger(__name__)

# all that str.isspace knows, and what sentencepiece takes for a space beside it
_BLANKS = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"
)


_NO_PART_OF_A_LETTER = "CZ"
"""Categories of Unicode, by their first letter: control characters and blanks."""


class EmptyQuestionError(ValueError):
    """A question of which the model sees nothing."""


@dataclass(frozen=True)
class TokenizedPassage:
    """
    The windows of one text.

    :param window_ids: token ids of each window, special tokens included.
    :param window_offsets: for each window uint32 (tokens, 2): first and one-past-last character of each token in the
        text, without the white space that the token may take in; (0, 0) for special tokens. A token of white space
        alone has no width.
    """

    window_ids: list[list[int]]
    window_offsets: list[npt.NDArray[np.uint32]]


class PassageTokenizer:
    """
    Cuts passages into overlapping windows that never depend on a question.

    :param tokenizer: a fast tokenizer, for it alone knows the characters that a token comes from.
    :param config: the lengths.
    :param backbone: the family, for the special tokens and the longest block.
    :raises ValueError: for a slow tokenizer or one of another model, or lengths that do not fit the model.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, config: DeFormerConfig, backbone: type[Backbone] | Backbone
    ) -> None:
        if not tokenizer.is_fast:
            msg = (
                f"{type(tokenizer).__name__} is a slow tokenizer: it does not know which characters a token comes "
                "from. Load the fast one: AutoTokenizer.from_pretrained(name, use_fast=True)."
            )
            raise ValueError(msg)
        self.tokenizer: PreTrainedTokenizerFast = tokenizer
        self.config = config
        self.layout = backbone.layout(tokenizer)
        if None in (*self.layout.question([]), *self.layout.passage([])):
            msg = (
                "The tokenizer names no token for the beginning or the end of a block (cls_token, sep_token or those "
                "in their place): set them in tokenizer_config.json."
            )
            raise ValueError(msg)
        rows = backbone.model.get_input_embeddings().num_embeddings if isinstance(backbone, Backbone) else None
        of_the_text = _of_the_text(tokenizer, rows)
        # a unigram model knows its special tokens as words all the same
        self._special_ids = frozenset(tokenizer.all_special_ids) - {tokenizer.unk_token_id, *of_the_text}
        if rows is not None and (tokens := 1 + max(self._ids())) > rows:
            msg = (
                f"The tokenizer has {tokens} tokens and the model embeddings for {rows}: it is another model's, or "
                "words were added to it. Put the model's own tokenizer beside its weights, or give the model as many "
                "embeddings (resize_token_embeddings)."
            )
            raise ValueError(msg)
        self.passage_length = config.passage_length(self.layout)
        longest = backbone.max_block_length if isinstance(backbone, Backbone) else None
        if longest is not None:
            question_length = config.max_question_length + self.layout.question_specials
            for what, length in (("max_seq_len", self.passage_length), ("max_question_length", question_length)):
                if length > longest:
                    msg = (
                        f"{what}={getattr(config, what)} makes a block of {length} tokens, but the model has positions "
                        f"for {longest}: lower {what}."
                    )
                    raise ValueError(msg)
        # a copy of its own: truncation and padding are shared state of a fast tokenizer, set by any caller, and setting
        # them while another thread encodes fails
        self._backend = Tokenizer.from_str(_with_words(tokenizer.backend_tokenizer.to_str(), of_the_text))
        self._backend.no_truncation()
        self._backend.no_padding()
        # a text that speaks of "[SEP]" does not end there
        self._backend.encode_special_tokens = True

    def _ids(self) -> set[int]:
        """All that blocks can be of: special tokens that stand in none may lie beyond the model's embeddings."""
        words = set(self.tokenizer.get_vocab().values()) - self._special_ids
        return {*words, *self.layout.question([]), *self.layout.passage([])}

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What the windows depend on beside the text, as JSON."""
        return {
            "tokenizer": json.loads(self._backend.to_str()),
            "window_length": self.passage_length,
            "doc_stride": self.config.doc_stride,
            "passage_prefix": self.layout.passage_prefix,
            "passage_suffix": self.layout.passage_suffix,
        }

    def question(self, text: str) -> list[int]:
        """
        Token ids of a question's block. A question longer than `max_question_length` is cut, with a warning.

        :param text: the question.
        :raises EmptyQuestionError: where it is empty, blank, or nothing is left of it (control characters alone).
        """
        if not isinstance(text, str) or not text.strip():
            msg = f"The question is empty ({text!r}): give at least one word."
            raise EmptyQuestionError(msg)
        # not as a batch of one, which wakes the tokenizer's threads
        encoding = self._backend.encode(_with_whole_characters(text), add_special_tokens=False)
        token_ids = self._text_ids(encoding)
        if not any(text[start:end].strip(_BLANKS) for start, end in encoding.offsets):
            msg = f"The question has no text that the tokenizer knows ({text!r}): give at least one word."
            raise EmptyQuestionError(msg)
        longest = self.config.max_question_length
        if len(token_ids) > longest:
            logger.warning(
                "The question has %d tokens and is cut to max_question_length=%d (a reader's max_query_length): "
                "%.80r...",
                len(token_ids),
                longest,
                text,
            )
        return self.layout.question(token_ids[:longest])

    def passages(self, texts: Sequence[str]) -> list[TokenizedPassage]:
        """
        Cut texts into windows. A text without a token (empty, white space) has none.

        :param texts: any lengths.
        """
        return [self._windows(text, encoding) for text, encoding in zip(texts, self._encode(texts), strict=True)]

    def _encode(self, texts: Sequence[str]) -> list[Any]:
        texts = [_with_whole_characters(text) for text in texts]
        return list(self._backend.encode_batch(texts, add_special_tokens=False))

    def _text_ids(self, encoding: Any) -> list[int]:
        """Token ids of a text, its words that look like special tokens as unknown ones."""
        token_ids: list[int] = encoding.ids
        unknown = self.tokenizer.unk_token_id
        if unknown is None or self._special_ids.isdisjoint(token_ids):
            return token_ids
        return [unknown if number in self._special_ids else number for number in token_ids]

    def _windows(self, text: str, encoding: Any) -> TokenizedPassage:
        offsets = _offsets(text, encoding)
        token_ids = self._text_ids(encoding) if _with_width(offsets).any() else []
        room = self.passage_length - self.layout.passage_specials
        before = np.zeros((len(self.layout.passage_prefix), 2), dtype=np.uint32)
        after = np.zeros((len(self.layout.passage_suffix), 2), dtype=np.uint32)
        window_ids, window_offsets = [], []
        start = 0
        while start < len(token_ids):
            stop = start + room
            window_ids.append(self.layout.passage(token_ids[start:stop]))
            window_offsets.append(np.concatenate([before, offsets[start:stop], after]))
            if stop >= len(token_ids):
                break
            start += self.config.doc_stride
        return TokenizedPassage(window_ids, window_offsets)


def _of_the_text(tokenizer: PreTrainedTokenizerBase, rows: int | None) -> frozenset[int]:
    """
    Special tokens that stand in texts, as a model that was trained with further ones ("[TITLE]") has them.

    :param tokenizer: the model's.
    :param rows: of the model's embeddings, for a token beyond them is in no text; None: not known.
    """
    # the others are the layout's and padding, which a text that speaks of them must not be
    own = {getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")}
    further = set(tokenizer.additional_special_tokens_ids) - own
    return frozenset(number for number in further if rows is None or number < rows)


def _with_words(backend: str, tokens: frozenset[int]) -> str:
    """
    A tokenizer that takes some of its special tokens for words.

    :param backend: the tokenizer's JSON.
    :param tokens: their ids.
    """
    if not tokens:
        return backend
    written = json.loads(backend)
    for token in written["added_tokens"]:
        token["special"] = token["special"] and token["id"] not in tokens
    return json.dumps(written)


def _offsets(text: str, encoding: Any) -> npt.NDArray[np.uint32]:
    """The characters that each token of a text stands on."""
    return _without_blanks(text, _with_marks(text, np.asarray(encoding.offsets, dtype=np.uint32).reshape(-1, 2)))


def _with_width(offsets: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Which tokens stand on any character."""
    return offsets[:, 1] > offsets[:, 0]


def _without_blanks(text: str, offsets: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """
    Offsets less the white space at both ends of a token.

    Tokens of sentencepiece and byte-level tokenizers take in the space before a word; an answer would begin with it.
    """
    for row, (start, end) in enumerate(offsets.tolist()):
        piece = text[start:end]
        kept = piece.strip(_BLANKS)
        if len(kept) == len(piece):
            continue
        begin = end - len(piece.lstrip(_BLANKS))
        offsets[row] = (begin, begin + len(kept))
    return offsets


def _with_marks(text: str, offsets: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """
    Offsets that take in what is left out behind a token and belongs to its last letter.

    A tokenizer that strips accents leaves a combining mark out of the token that it stands on, and one that composes
    characters all but the first of those that it makes one of (Hangul's jamo, the voicing marks of half-width kana): an
    answer's last letter would lose them.
    """
    if text.isascii():
        return offsets
    nexts = np.append(offsets[1:, 0], len(text))
    for row in np.flatnonzero(nexts > offsets[:, 1]):
        end = int(offsets[row, 1])
        while end < nexts[row] and unicodedata.category(text[end])[0] not in _NO_PART_OF_A_LETTER:
            end += 1
        offsets[row, 1] = end
    return offsets


def _with_whole_characters(text: str) -> str:
    """The text: a lone surrogate is none for the Rust tokenizer, and one character for one keeps the offsets."""
    return text.encode("utf-8", "replace").decode("utf-8") if has_surrogate(text) else text


def has_surrogate(text: str) -> bool:
    """
    Whether a text has half a character (a lone surrogate), which UTF-8 cannot write.

    :param text: any.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def load_tokenizer(
    name_or_path: str | os.PathLike[str], *, revision: str | None = None, token: str | bool | None = None
) -> PreTrainedTokenizerBase:
    """
    The tokenizer of a checkpoint, the fast one where there is one.

    :param name_or_path: a name on the model hub or a folder.
    :param revision: branch, tag or commit on the model hub.
    :param token: for a private model of the hub.
    """
    return AutoTokenizer.from_pretrained(name_or_path, revision=revision, token=token, use_fast=True)
