"""What made the states of one space: the file that says so, and how two of them differ."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class RepresentationManifest:
    """
    What made the states of a space.

    Spaces are the same if fingerprint, codec, dimension and format version are; the rest is for people.

    :param fingerprint: hexadecimal digest of all that a state depends on beside the text: weights of the embeddings and
        the lower layers, cut, layout, window and stride, tokenizer.
    :param codec: faiss' factory string.
    :param dimension: width of a state.
    :param model: name of the model, for messages.
    :param details: what went into the fingerprint, as JSON can hold it (`lower_layers`, ...), for messages.
    :param format_version: of the folder and the records.
    """

    fingerprint: str
    codec: str
    dimension: int
    model: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @property
    def identity(self) -> tuple[str, str, int, int]:
        """What tells one space from another."""
        return self.fingerprint, self.codec, self.dimension, self.format_version

    @property
    def label(self) -> str:
        """Model and codec, for messages."""
        return f"{self.model or 'this model'} ({self.codec}, {self.fingerprint[:12]})"

    @property
    def folder_name(self) -> str:
        """Name of the space's folder: a digest of the identity, and the codec for people."""
        digest = hashlib.blake2b(json.dumps(self.identity).encode(), digest_size=6).hexdigest()
        return f"{digest}-{re.sub(r'[^A-Za-z0-9_]+', '-', self.codec)[:40]}"

    def differences(self, other: RepresentationManifest) -> dict[str, tuple[Any, Any]]:
        """
        Compare field by field, the parts of the fingerprint in place of the fingerprint where they tell.

        :param other: another manifest.
        :returns: for each field that differs, the value here and the value there.
        """
        mine, theirs = self._flat(), other._flat()
        names = [*mine, *(name for name in theirs if name not in mine)]
        found = {n: (mine.get(n), theirs.get(n)) for n in names if mine.get(n) != theirs.get(n)}
        if self.fingerprint != other.fingerprint and not set(found) - {"codec", "format_version"}:
            found["fingerprint"] = (self.fingerprint[:12], other.fingerprint[:12])
        return found

    def _flat(self) -> dict[str, Any]:
        named = {"model": self.model, "codec": self.codec, "dimension": self.dimension}
        return {**named, "format_version": self.format_version, **self.details}

    def to_bytes(self) -> bytes:
        """Write as JSON."""
        return json.dumps({**asdict(self), "details": dict(self.details)}, indent=2, default=str).encode() + b"\n"

    @classmethod
    def read(cls, folder: Path) -> RepresentationManifest:
        """
        Read a space's manifest.

        :param folder: the space's folder.
        :raises ValueError: there is none, or it cannot be understood; the message says why.
        """
        try:
            fields = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
            details, version = dict(fields["details"]), int(fields["format_version"])
            known = {name: fields[name] for name in ("fingerprint", "codec", "dimension", "model")}
        except OSError as error:
            msg = f"{MANIFEST_NAME} cannot be read: {error.strerror}"
            raise ValueError(msg) from error
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{MANIFEST_NAME} cannot be understood: it is damaged or of a later release"
            raise ValueError(msg) from error
        return cls(**known, details=details, format_version=version)
