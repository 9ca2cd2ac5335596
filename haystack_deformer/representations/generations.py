"""LMDB files never shrink, so a store lives in generations: `CURRENT` names the folder that counts."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path

from haystack_deformer.files import write_atomically, write_first
from haystack_deformer.representations.errors import RepresentationStoreError, StoreCorruptError
from haystack_deformer.representations.files import make_folder, storage_errors

_CURRENT = "CURRENT"
_FOLDER = re.compile(r"gen-(\d{6,})")


class Generations:
    """
    The folder of a store and the generations in it.

    :param path: the store's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def current(self) -> int:
        """
        Read the number of the generation that counts.

        :raises RepresentationStoreError: there is no store in the folder.
        :raises StoreCorruptError: `CURRENT` holds something else.
        """
        file = self.path / _CURRENT
        try:
            text = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            msg = f"There is no store of representations in {self.path}: it was never made, or was removed meanwhile"
            raise RepresentationStoreError(msg) from error
        except OSError as error:
            msg = f"{file} cannot be read: {error.strerror}"
            raise RepresentationStoreError(msg) from error
        if not re.fullmatch(rb"[0-9]{1,12}\n", text):
            msg = f"{file} is damaged ({text[:20]!r}): write the number of the folder gen-... beside it into it"
            raise StoreCorruptError(msg)
        return int(text)

    def exists(self) -> bool:
        """Whether there is a store in the folder."""
        return (self.path / _CURRENT).exists()

    def folder(self, number: int) -> Path:
        """
        Name a generation's folder.

        :param number: of the generation.
        """
        return self.path / f"gen-{number:06}"

    def begin(self) -> None:
        """
        Make the first generation, unless there is a store; several processes may do so at once.

        :raises RepresentationStoreError: the folder cannot be written to.
        :raises StoreCorruptError: generations are there and `CURRENT` is not, so that nobody knows which one counts.
        """
        make_folder(self.path)
        found = self._numbers()
        if not self.exists() and found not in ([], [1]):
            msg = (
                f"{self.path / _CURRENT} is missing though there are generations {found}: write the number of the one "
                f"that counts into it (the lowest, after a crash), or remove the folder and index again"
            )
            raise StoreCorruptError(msg)
        if self.exists():
            return
        make_folder(self.folder(1))
        with storage_errors(self.path):
            (self.folder(1) / "data.mdb").touch()
            write_first(self.path / _CURRENT, b"1\n")

    def switch(self, number: int) -> None:
        """
        Make another generation the one that counts.

        :param number: of the generation, whose files must be on the disk already.
        """
        with storage_errors(self.path):
            write_atomically(self.path / _CURRENT, b"%d\n" % number)

    def remove_older(self, number: int) -> None:
        """
        Remove the generations before one; who still reads them keeps the files until closing them.

        :param number: of the generation that counts.
        """
        self._remove([n for n in self._numbers() if n < number])

    def remove_newer(self, number: int) -> None:
        """
        Remove what a compaction that did not end has left. Only for who holds the write lock of the current generation.

        :param number: of the generation that counts.
        """
        self._remove([n for n in self._numbers() if n > number])

    def _numbers(self) -> list[int]:
        with storage_errors(self.path):
            matches = [_FOLDER.fullmatch(path.name) for path in self.path.iterdir()]
        return sorted(int(match.group(1)) for match in matches if match)

    def _remove(self, numbers: list[int]) -> None:
        for number in numbers:
            # the data first: who comes late finds nothing to open, rather than an empty store
            with suppress(OSError):  # it stays until the next time, as on Windows what another process has open
                (self.folder(number) / "data.mdb").unlink(missing_ok=True)
            shutil.rmtree(self.folder(number), ignore_errors=True)
