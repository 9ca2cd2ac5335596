"""What tells whether a file or a checkpoint is still the one that something was made of."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_BLOCK = 1 << 20
_TOKENIZER_FILES = ("tokenizer*.json", "*vocab*", "merges.txt", "*.model", "*tokens*.json")


def digest_files(paths: Iterable[str | os.PathLike[str]]) -> str:
    """
    A digest of files' bytes, one after the other.

    :param paths: of the files.
    :return: 32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        with Path(path).open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def digest_data(path: str | os.PathLike[str]) -> str:
    """
    A digest of what a file holds, the same where it is compressed.

    :param path: plain or gzip.
    :return: 32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    # of one that is damaged, or not compressed, its bytes: whoever reads it says what is wrong
    with suppress(OSError, EOFError, zlib.error), gzip.open(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
        return digest.hexdigest()
    return digest_files([path])


def digest_checkpoint(model_name_or_path: str | os.PathLike[str]) -> str:
    """
    A digest of a checkpoint's config and weights; of a model of the hub its commit.

    :param model_name_or_path: name or folder.
    :return: empty where there is no such model.
    """
    folder = Path(model_name_or_path)
    if not folder.is_dir():
        from transformers import AutoConfig  # noqa: PLC0415  # imports torch, and who asks for --help waits

        try:
            return str(getattr(AutoConfig.from_pretrained(model_name_or_path), "_commit_hash", ""))
        except OSError:
            return ""
    kept = {".safetensors", ".bin"}
    return digest_files(sorted(path for path in folder.iterdir() if path.suffix in kept or path.name == "config.json"))


def digest_tokenizer(folder: str | os.PathLike[str]) -> str:
    """
    A digest of a tokenizer's files, under whatever names families have for them.

    :param folder: of a checkpoint.
    :return: of a model of the hub the empty text: its commit is in the digest of the checkpoint.
    """
    if not Path(folder).is_dir():
        return ""
    kept = [path for pattern in _TOKENIZER_FILES for path in Path(folder).glob(pattern)]
    return digest_files(sorted(set(kept)))
