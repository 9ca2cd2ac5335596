"""One folder on disk with the states of several models and codecs side by side, each in a space of its own."""

from __future__ import annotations

import itertools
import logging
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haystack_deformer.files import sync, write_atomically, write_first
from haystack_deformer.representations.codec import RepresentationCodec
from haystack_deformer.representations.errors import CorruptCodecError
from haystack_deformer.representations.files import make_folder, refuse_file, storage_errors
from haystack_deformer.representations.manifest import MANIFEST_NAME, RepresentationManifest

logger = logging.getLogger(__name__)

CODEC_NAME = "codec.faiss"
RECORDS_NAME = "records"


@dataclass(frozen=True)
class Space:
    """
    The sub-folder with the states of one model and codec.

    :param path: the sub-folder.
    :param manifest: what is in it, or None if it does not say.
    :param problem: why it does not.
    """

    path: Path
    manifest: RepresentationManifest | None
    problem: str = ""

    def load_codec(self) -> RepresentationCodec | None:
        """
        Read the trained codec.

        :returns: the codec, or None if there is none yet.
        :raises CorruptCodecError: the file is damaged, or made for something else.
        """
        file = self.path / CODEC_NAME
        if not file.exists():
            return None
        with storage_errors(file):
            data = file.read_bytes()
        try:
            codec = RepresentationCodec.from_bytes(data)
        except CorruptCodecError as error:
            msg = f"{file} is damaged, and without it the states beside it cannot be decoded: {_remedy(self.path)}"
            raise CorruptCodecError(msg) from error
        if self.manifest and (codec.factory_string, codec.dimension) != (self.manifest.codec, self.manifest.dimension):
            msg = f"{file} holds {codec!r}, which is not the codec of the states beside it: {_remedy(self.path)}"
            raise CorruptCodecError(msg)
        return codec

    def publish_codec(self, codec: RepresentationCodec) -> RepresentationCodec:
        """
        Save a trained codec, unless another process was first.

        :param codec: the codec.
        :returns: the codec that all processes use from now on: this one, or the one that was there first.
        :raises StoreFullError: the disk has no room.
        """
        file = self.path / CODEC_NAME
        with storage_errors(file):
            published = write_first(file, codec.to_bytes())
        return codec if published else self.load_codec() or codec

    def missing_codec_error(self) -> CorruptCodecError:
        """Say that records are there and the codec is not."""
        msg = f"{self.path / CODEC_NAME} is missing, and without it the states beside it cannot be decoded: "
        return CorruptCodecError(msg + _remedy(self.path))


class RepresentationFolder:
    """
    A folder of spaces.

    :param path: the folder; it need not exist.
    :raises RepresentationStoreError: the path is a file, or cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        refuse_file(self.path)

    def spaces(self) -> list[Space]:
        """List the spaces, those of other releases and unreadable ones among them, by name."""
        if not self.path.is_dir():
            return []
        with storage_errors(self.path):
            folders = sorted(p for p in self.path.iterdir() if p.is_dir() and not p.name.startswith("."))
        return [_describe(folder) for folder in folders]

    def find(self, manifest: RepresentationManifest) -> Space | None:
        """
        Find the space of a model and codec.

        :param manifest: what made the states.
        :returns: the space, or None if there is none.
        """
        return next((s for s in self.spaces() if s.manifest and s.manifest.identity == manifest.identity), None)

    def create(self, manifest: RepresentationManifest) -> Space:
        """
        Make the space of a model and codec, unless another process just did. No folder that is there is ever touched.

        :param manifest: what makes the states.
        :returns: the space.
        :raises RepresentationStoreError: the folder cannot be written to.
        :raises StoreFullError: the disk has no room.
        """
        make_folder(self.path)
        draft = self.path / f".new-{uuid.uuid4().hex}"
        make_folder(draft)
        try:
            with storage_errors(draft):
                write_atomically(draft / MANIFEST_NAME, manifest.to_bytes())
            for n in itertools.count(1):
                # a folder of that name may be there and hold something else: a damaged manifest, another release's
                target = self.path / (manifest.folder_name if n == 1 else f"{manifest.folder_name}-{n}")
                if not target.exists():
                    try:
                        draft.rename(target)
                    except OSError:
                        if not target.exists():
                            raise
                space = _describe(target)
                if space.manifest and space.manifest.identity == manifest.identity:
                    sync(self.path)
                    return space
        except OSError:
            with storage_errors(self.path):
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        raise AssertionError  # the loop above ends by returning

    def others(self, manifest: RepresentationManifest) -> list[dict[str, Any]]:
        """
        Describe the spaces that are not this one.

        :param manifest: what makes the states of this one.
        :returns: for each its folder, model, codec, what differs as (theirs, ours) by field, and what is wrong with it.
        """
        found: list[dict[str, Any]] = []
        for space in self.spaces():
            theirs = space.manifest
            if theirs is None:
                found.append(
                    {"folder": space.path.name, "model": None, "codec": None, "differs": {}, "problem": space.problem}
                )
            elif theirs.identity != manifest.identity:
                found.append(
                    {
                        "folder": space.path.name,
                        "model": theirs.model,
                        "codec": theirs.codec,
                        "differs": theirs.differences(manifest),
                        "problem": "",
                    }
                )
        return found

    def warn_of_others(self, manifest: RepresentationManifest) -> None:
        """
        Say in the log that there are states here, but none of a model and codec, and how they differ.

        :param manifest: of the model and codec.
        """
        lines = []
        for other in self.others(manifest):
            fields = other["differs"].items()
            differs = "; ".join(f"{field}: {theirs!r} there, {ours!r} here" for field, (theirs, ours) in fields)
            lines.append(f"{other['folder']} ({other['problem'] or differs})")
        if lines:
            logger.warning(
                "%s holds no states of %s, but others, which are kept and not used: %s",
                self.path,
                manifest.label,
                ", ".join(lines),
            )


def _describe(folder: Path) -> Space:
    try:
        return Space(folder, RepresentationManifest.read(folder))
    except ValueError as error:
        return Space(folder, None, str(error))


def _remedy(folder: Path) -> str:
    return f"restore it from a backup, or remove the folder {folder} and index again (the documents are not touched)"
