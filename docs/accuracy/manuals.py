"""
A folder of plain English manuals for `haystack-deformer cloze`, out of packages of Debian 12: PostgreSQL's and SQLite's
pages, Debian's policy and developers' reference, Perl's, and the pages of `man` on Linux and git.

for name in postgresql-doc-15 sqlite3-doc debian-policy developers-reference perl-doc manpages manpages-dev git-man; do
    apt-get download $name && dpkg -x ${name}_*.deb packages/$name
done
python docs/accuracy/manuals.py packages FOLDER
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from random import Random

_BLOCKS = frozenset(
    "p li dd dt h1 h2 h3 h4 h5 h6 pre td th tr div table ul ol dl section blockquote br hr".split()  # noqa: SIM905
)
_LEFT_OUT = frozenset("script style nav head header footer form svg select".split())  # noqa: SIM905
_LINE = 72
_SHORTEST = 1500
"""Characters of a page that says something."""
_PAGES_OF_MAN = 900
_LISTS = re.compile(r"release|contrib-release|errcodes")
"""Pages of changes and of numbers."""
_TRANSLATIONS = frozenset({"de", "fr", "it", "ja", "ru"})


def main(packages: Path, folder: Path) -> None:
    """Write every second of the pages in an order by chance: 15 MB of text."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = [page for page in chain(_html(packages), _perl(packages), _man(packages)) if len(page[1]) > _SHORTEST]
    Random(15).shuffle(pages)  # noqa: S311  # chance, not secrecy
    for name, text in pages[::2]:
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")


def _html(packages: Path) -> Iterator[tuple[str, str]]:
    for package in ("postgresql-doc-15", "sqlite3-doc", "debian-policy", "developers-reference"):
        for path in sorted((packages / package).rglob("*.html")):
            is_page = path.is_file() and not path.is_symlink()
            if is_page and not _LISTS.match(path.name) and _TRANSLATIONS.isdisjoint(path.parts):
                yield f"{package}-{path.stem}", _Text.of(path.read_text(encoding="utf-8", errors="replace"))


def _perl(packages: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((packages / "perl-doc").rglob("*.pod")):
        if not re.match(r"perl5\d+delta", path.name):
            yield f"perl-{path.stem}", _run("pod2text", "-w", str(_LINE), str(path))


def _man(packages: Path) -> Iterator[tuple[str, str]]:
    paths = sorted(
        path
        for package in ("manpages", "manpages-dev", "git-man")
        for path in (packages / package).rglob("man/man*/*.gz")
        if not path.is_symlink()
    )
    # without columns justified and words divided
    groff = ("groff", "-man", "-Tutf8", "-rLL=76n", "-P-cbou", "-rHY=0", "-dAD=l")
    for path in Random(1).sample(paths, _PAGES_OF_MAN):  # noqa: S311
        yield f"man-{path.stem}", _run(*groff, text=gzip.decompress(path.read_bytes()))


def _run(*command: str, text: bytes = b"") -> str:
    return subprocess.run(command, input=text, capture_output=True, check=False).stdout.decode(errors="replace")  # noqa: S603


class _Text(HTMLParser):
    """Paragraphs of a page, with code in quotes and examples as they stand."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[str] = []
        self._left_out = self._examples = 0

    @classmethod
    def of(cls, page: str) -> str:
        """The text of a page."""
        parser = cls()
        parser.feed(page)
        paragraphs = (paragraph for paragraph in "".join(parser._parts).split("\n\n") if paragraph.strip())
        return "\n\n".join(
            paragraph.rstrip()
            if "\n   " in paragraph
            else textwrap.fill(paragraph.strip(), _LINE, break_long_words=False, break_on_hyphens=False)
            for paragraph in paragraphs
        )

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self._left_out += tag in _LEFT_OUT
        self._examples += tag == "pre"
        self._mark(tag)

    def handle_endtag(self, tag: str) -> None:
        self._left_out = max(0, self._left_out - (tag in _LEFT_OUT))
        self._mark(tag)
        self._examples = max(0, self._examples - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        if not self._left_out:
            self._parts.append(data.replace("\n", "\n   ") if self._examples else re.sub(r"\s+", " ", data))

    def _mark(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._parts.append("\n\n")
        elif tag in {"code", "tt"} and not self._examples and not self._left_out:
            self._parts.append('"')


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
