"""Records of known sizes in one file, each with a checksum, written in any order and by several processes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

_CHECKSUM_BYTES = 4


class RecordFile:
    """
    A file with a place for each record, and a hole on the disk until it is written.

    A record that a kill has cut off counts as not written.

    :param path: of the file; the checksums stand beside it.
    :param sizes: bytes of each record.
    """

    def __init__(self, path: Path, sizes: Sequence[int]) -> None:
        self._offsets = [0, *accumulate(sizes)]
        self.paths = {path: self._offsets[-1], path.with_name(f"{path.name}.crc"): len(sizes) * _CHECKSUM_BYTES}
        for file, size in self.paths.items():
            # every process does it alike
            with file.open("ab") as opened:
                opened.truncate(size)
        self._records, self._checksums = (file.open("r+b", buffering=0) for file in self.paths)

    @property
    def missing_bytes(self) -> int:
        """What the disk has still to find room for."""
        return sum(max(0, size - path.stat().st_blocks * 512) for path, size in self.paths.items())

    def write(self, number: int, record: bytes) -> None:
        """
        Keep a record.

        :param number: its place.
        :param record: of the size that was said.
        """
        self._records.seek(self._offsets[number])
        self._records.write(record)
        self._checksums.seek(number * _CHECKSUM_BYTES)
        self._checksums.write(_checksum(record))

    def read(self, number: int) -> bytes | None:
        """
        A record; None where it was not written, or is damaged.

        :param number: its place.
        """
        self._checksums.seek(number * _CHECKSUM_BYTES)
        checksum = self._checksums.read(_CHECKSUM_BYTES)
        if not any(checksum):
            return None
        self._records.seek(self._offsets[number])
        record = self._records.read(self._offsets[number + 1] - self._offsets[number])
        return record if _checksum(record) == checksum else None


def _checksum(record: bytes) -> bytes:
    # never 0, which stands for a record that was not written
    return (zlib.crc32(record) or 1).to_bytes(_CHECKSUM_BYTES, "little")
