from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack_deformer.corpus import read_folder, split_text, text_documents


@given(st.text(alphabet="ab. \n\t\u00a0\U0001f600", max_size=300), st.integers(1, 40))
def test_split_text_keeps_every_character_that_is_not_white_space(text: str, max_length: int) -> None:
    spans = list(split_text(text, max_length))
    end = 0
    for start, stop in spans:
        assert not text[end:start].strip()
        assert 0 < stop - start <= max_length
        assert text[start:stop] == text[start:stop].strip()
        end = stop
    assert not text[end:].strip()


def test_split_text_keeps_paragraphs_together_while_they_fit() -> None:
    text = "one two.\n\nthree four.\n \n" + "x" * 10 + "\n\nfive"
    assert [text[a:b] for a, b in split_text(text, 25)] == ["one two.\n\nthree four.", "x" * 10 + "\n\nfive"]


def test_split_text_knows_the_line_ends_of_windows() -> None:
    text = "# Title\r\n\r\none two.\r\n \r\nthree four."
    assert [text[a:b] for a, b in split_text(text, 10)] == ["# Title", "one two.", "three", "four."]


def test_split_text_cuts_long_paragraphs_at_sentences() -> None:
    text = "The first sentence is here. The second one is there. And a third."
    assert [text[a:b] for a, b in split_text(text, 40)] == [
        "The first sentence is here.",
        "The second one is there. And a third.",
    ]
    with pytest.raises(ValueError, match="got 0"):
        list(split_text(text, 0))


def test_text_documents_know_their_place() -> None:
    text = "one.\n\n" + "two " * 30
    documents = text_documents({"a": text, "b": text}, max_length=50)
    for document in documents:
        start = document.meta["start"]
        assert text[start : start + len(document.content)] == document.content
    assert len({document.id for document in documents}) == len(documents)


def test_read_folder(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.WARNING)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.md").write_text("text a", encoding="utf-8")
    (tmp_path / "b.TXT").write_bytes(b"\xef\xbb\xbftext b")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "blank.txt").write_text(" \n")
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    assert read_folder(tmp_path) == {"b.TXT": "text b", "latin.txt": "caf\ufffd", "sub/a.md": "text a"}
    assert "latin.txt is not UTF-8" in caplog.text


def test_read_folder_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="No such folder"):
        read_folder(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"\*\.md"):
        read_folder(tmp_path)


def test_a_folder_that_may_not_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index would take what is in it for deleted."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.md").write_text("text a")
    (tmp_path / "sub" / "b.md").write_text("text b")
    real = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "sub":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError, match="sub"):
        read_folder(tmp_path)


def test_names_that_are_not_utf8(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in (b"caf\xe9.txt", b"caf\xe8.txt"):
        (tmp_path / os.fsdecode(name)).write_text("text", encoding="utf-8")
    assert sorted(read_folder(tmp_path)) == ["caf\ufffd.txt", "caf\ufffd.txt (1)"]
    assert "is not UTF-8" in caplog.text
