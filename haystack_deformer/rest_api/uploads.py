"""Files from strangers: names made safe, contents looked at, nothing left behind."""

from __future__ import annotations

import codecs
import shutil
import unicodedata
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fastapi import HTTPException, UploadFile
from haystack.nodes import BaseConverter, DocxToTextConverter, MarkdownConverter, PDFToTextConverter, TextConverter
from haystack.nodes.file_converter import CsvTextConverter, JsonConverter, PptxConverter

from haystack_deformer.files import remove_forsaken

_LONGEST_NAME = 240
"""Bytes; a file system takes 255, its number among them."""
_PASSING = "passing-"
"""How folders begin whose files are only to be indexed."""
_LEFTOVER_SECONDS = 3_600
_TEXT = {".txt", ".text", ".md", ".markdown", ".rst", ".log"}
_SUFFIXES: dict[type[BaseConverter], set[str]] = {
    TextConverter: _TEXT,
    MarkdownConverter: _TEXT,
    CsvTextConverter: {".csv"},
    JsonConverter: {".json", ".jsonl"},
    PDFToTextConverter: {".pdf"},
    DocxToTextConverter: {".docx"},
    PptxConverter: {".pptx"},
}
_ZIPPED = {".docx", ".pptx"}
_BLOCK = 1 << 20
_TURNING = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def accepted_suffixes(converters: list[BaseConverter]) -> set[str] | None:
    """
    The file types that a pipeline reads.

    :param converters: its own.
    :return: None where one of them is of a kind that is not known here: then all types.
    """
    suffixes: set[str] = set()
    for converter in converters:
        known = [found for kind, found in _SUFFIXES.items() if isinstance(converter, kind)]
        if not known:
            return None
        suffixes = suffixes.union(*known)
    return suffixes or None


def safe_name(name: str | None) -> str:
    """
    The last part of a path, as a browser or an attacker may send one.

    :param name: as it came.
    :raises HTTPException: 400 where nothing is left of it.
    """
    last = PurePosixPath((name or "").replace("\\", "/")).name
    if last in ("", ".", "..") or any(_is_hidden(letter) for letter in last):
        raise HTTPException(400, f"{name!r} is no name for a file.")
    if len(last.encode("utf-8", "replace")) > _LONGEST_NAME:
        raise HTTPException(400, f"The name {last[:40]!r}... is longer than {_LONGEST_NAME} bytes.")
    return last


def _is_hidden(letter: str) -> bool:
    """What shows a name as another: control characters, breaks, half characters and what turns the direction round."""
    return unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(letter) in _TURNING


def remove_leftovers(folder: Path) -> None:
    """
    Remove what a server that was killed left in the middle of an upload.

    :param folder: for uploads; another server may be using it.
    """
    remove_forsaken(folder, f"{_PASSING}*", _LEFTOVER_SECONDS)


@contextmanager
def saved(
    files: list[UploadFile], folder: Path, suffixes: set[str] | None, limit: int, *, keep: bool
) -> Iterator[dict[Path, str]]:
    """
    Write an upload into a folder of its own while the block runs.

    :param files: of the upload.
    :param folder: for uploads.
    :param suffixes: that are taken; None: all.
    :param limit: bytes that a zipped file may unpack to.
    :param keep: whether the files stay where the block does not fail.
    :return: for each file its path and its name.
    :raises HTTPException: 4xx where one of them cannot be taken; then none is.
    """
    own = folder / f"{'' if keep else _PASSING}{uuid.uuid4().hex}"
    try:
        # a system that clears /tmp takes the folder away; again, as a temporary one, it is the server's alone
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        own.mkdir()
        written: dict[Path, str] = {}
        for number, file in enumerate(files):
            name = safe_name(file.filename)
            _check_suffix(name, suffixes)
            path = own / f"{number}_{name}"
            if _is_text(path) and file.file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
                # converters take the mark for a letter, or for a mistake in JSON
                file.file.seek(0)
            with path.open("xb") as target:
                shutil.copyfileobj(file.file, target, _BLOCK)
            _check_content(path, name, limit)
            written[path] = name
        yield written
    except BaseException:
        keep = False
        raise
    finally:
        for file in files:
            file.file.close()
        if not keep:
            shutil.rmtree(own, ignore_errors=True)


def _check_suffix(name: str, suffixes: set[str] | None) -> None:
    suffix = Path(name).suffix.lower()
    if suffixes is not None and suffix not in suffixes:
        raise HTTPException(
            415, f"{name!r} is of a type that the indexing pipeline does not read; it reads {sorted(suffixes)}."
        )


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in _TEXT | {".csv", ".json", ".jsonl"}


def _check_content(path: Path, name: str, limit: int) -> None:
    suffix = path.suffix.lower()
    if not path.stat().st_size:
        raise HTTPException(400, f"{name!r} is empty.")
    with path.open("rb") as file:
        if _is_text(path):
            _check_text(file, name)
        elif suffix == ".pdf" and b"%PDF-" not in file.read(1024):
            raise HTTPException(415, f"{name!r} is named as a PDF and is none.")
        elif suffix in _ZIPPED:
            _check_zip(file, name, limit)


def _check_text(file: BinaryIO, name: str) -> None:
    blank = True
    # a character may go on in the next block
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    block = b" "
    while block:
        block = file.read(_BLOCK)
        if b"\0" in block:
            raise HTTPException(415, f"{name!r} is named as text and is none: it has zero bytes.")
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise HTTPException(415, f"{name!r} is no text in UTF-8: save it as UTF-8 and send it again.") from error
        blank = blank and not text.strip()
    if blank:
        raise HTTPException(400, f"{name!r} has no text in it.")


def _check_zip(file: BinaryIO, name: str, limit: int) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise HTTPException(415, f"{name!r} is named as an office document and is none.") from error
    if unpacked > limit:
        raise HTTPException(413, f"{name!r} unpacks to {unpacked:,} bytes; at most {limit:,} are taken.")
