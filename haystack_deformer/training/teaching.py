"""What the teacher makes of each feature: asked anew, or kept on disk and asked once for all epochs and students."""

from __future__ import annotations

import logging
import os
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from haystack_deformer.modeling import DeFormerForQuestionAnswering, SpanLogits
from haystack_deformer.modeling.fingerprint import fingerprint_model
from haystack_deformer.training.features import SquadFeature

logger = logging.getLogger(__name__)

_CHECKSUM_BYTES = 4


@dataclass(frozen=True)
class Lesson:
    """
    What a student is to come near to, of one batch.

    :param start_logits: (batch, 1 + passage length), the least value of the dtype for padding.
    :param end_logits: (batch, 1 + passage length).
    :param token_states: of each layer that is compared, the last one last: (tokens, hidden_size), the batch's sequences
        one after the other without their padding. Empty where none is.
    """

    start_logits: Tensor
    end_logits: Tensor
    token_states: tuple[Tensor, ...] = ()

    @classmethod
    def of(cls, output: SpanLogits) -> Lesson:
        """
        Of a model's output.

        :param output: with its hidden states where they are to be compared.
        """
        return cls(output.start_logits, output.end_logits, token_states(output))


def token_states(output: SpanLogits) -> tuple[Tensor, ...]:
    """
    The hidden states without padding, (tokens, hidden_size) each; empty where the output has none.

    :param output: of a model.
    """
    if output.hidden_states is None or output.token_mask is None:
        return ()
    return tuple(states[output.token_mask] for states in output.hidden_states)


class Teacher:
    """
    A frozen model that says what it makes of a batch.

    :param model: run without dropout and without gradients.
    :param compares_states: whether its states are asked for beside its logits.
    :param kept: where what it said is kept; None: it is asked anew each time.
    """

    def __init__(
        self, model: DeFormerForQuestionAnswering, *, compares_states: bool = True, kept: KeptLessons | None = None
    ) -> None:
        self.model = model.requires_grad_(requires_grad=False).eval()
        self.compares_states = compares_states
        self.kept = kept

    def __call__(self, inputs: dict[str, Tensor], features: Sequence[int]) -> Lesson:
        """
        The lesson of a batch.

        :param inputs: from `collate`.
        :param features: their numbers in the data set.
        """
        if self.kept is not None:
            known = self.kept.read(features, inputs["passage_ids"].shape[1], inputs["passage_ids"].device)
            if known is not None:
                return known
        asked = {name: value for name, value in inputs.items() if not name.endswith("_positions")}
        with torch.no_grad():
            lesson = Lesson.of(self.model(**asked, output_hidden_states=self.compares_states))
        if self.kept is not None:
            self.kept.write(features, lesson)
        return lesson


class KeptLessons:
    """
    Lessons in a file, in fp16, each with a checksum: one that was cut off by a kill is asked for again.

    Several processes may write, each the features that it trains on.

    :param folder: lessons of one teacher, cut and data set share a folder in it, named by a digest of all three.
    :param features: the data set.
    :param teacher: the model.
    :param layers: how many of its last layers are kept.
    :param bf16: whether it runs in bfloat16.
    :raises ValueError: where the disk has no room for all; names the bytes.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        features: Sequence[SquadFeature],
        teacher: DeFormerForQuestionAnswering,
        layers: int,
        *,
        bf16: bool = False,
    ) -> None:
        self.layers = layers
        self.hidden_size = teacher.backbone.hidden_size
        self._columns = [1 + len(feature.passage_ids) for feature in features]
        self._tokens = [len(feature.question_ids) + len(feature.passage_ids) for feature in features]
        values = 2 * np.array(self._columns) + layers * self.hidden_size * np.array(self._tokens)
        self._offsets = np.concatenate([[0], np.cumsum(values * np.dtype(np.float16).itemsize)]).tolist()
        self.path = Path(folder) / _digest(features, teacher, layers, bf16=bf16)
        self.path.mkdir(parents=True, exist_ok=True)
        sizes = {"lessons": self._offsets[-1], "checksums": len(features) * _CHECKSUM_BYTES}
        missing = sum(max(0, size - _allocated(self.path / name)) for name, size in sizes.items())
        free = shutil.disk_usage(self.path).free
        if missing > free:
            msg = (
                f"The teacher's outputs on {len(features)} windows take {missing:,} bytes more and {str(folder)!r} has "
                f"{free:,} left: give a folder on another disk, or leave it out, and the teacher runs in every step."
            )
            raise ValueError(msg)
        for name, size in sizes.items():
            # a hole until it is written; done by every process alike
            with (self.path / name).open("ab") as file:
                file.truncate(size)
        self._lessons = (self.path / "lessons").open("r+b", buffering=0)
        self._checksums = (self.path / "checksums").open("r+b", buffering=0)
        logger.info("The teacher's outputs are kept in %s (%.1f GB).", self.path, self._offsets[-1] / 1e9)

    def write(self, features: Sequence[int], lesson: Lesson) -> None:
        """
        Keep a batch's.

        :param features: their numbers.
        :param lesson: of the batch.
        """
        tokens = [self._tokens[number] for number in features]
        layers = [states.split(tokens) for states in lesson.token_states[len(lesson.token_states) - self.layers :]]
        for row, number in enumerate(features):
            columns = self._columns[number]
            parts = [lesson.start_logits[row, :columns], lesson.end_logits[row, :columns]]
            parts += [states[row].flatten() for states in layers]
            record = torch.cat([part.float() for part in parts]).half().cpu().numpy().tobytes()
            self._lessons.seek(self._offsets[number])
            self._lessons.write(record)
            self._checksums.seek(number * _CHECKSUM_BYTES)
            self._checksums.write(_checksum(record))

    def read(self, features: Sequence[int], passage_length: int, device: torch.device) -> Lesson | None:
        """
        The lesson of a batch; None where one of its features has none yet.

        :param features: their numbers.
        :param passage_length: of the padded batch.
        :param device: for the tensors.
        """
        shape = (2, len(features), 1 + passage_length)
        logits = np.full(shape, np.finfo(np.float32).min, dtype=np.float32)
        states: list[npt.NDArray[np.float16]] = []
        for row, number in enumerate(features):
            record = self._record(number)
            if record is None:
                return None
            columns = self._columns[number]
            logits[:, row, :columns] = record[: 2 * columns].reshape(2, columns)
            states.append(record[2 * columns :].reshape(self.layers, self._tokens[number], self.hidden_size))
        start, end = torch.from_numpy(logits).to(device)
        return Lesson(start, end, tuple(torch.from_numpy(np.concatenate(states, axis=1)).to(device)))

    def _record(self, number: int) -> npt.NDArray[np.float16] | None:
        self._checksums.seek(number * _CHECKSUM_BYTES)
        checksum = self._checksums.read(_CHECKSUM_BYTES)
        if not any(checksum):
            return None
        self._lessons.seek(self._offsets[number])
        record = self._lessons.read(self._offsets[number + 1] - self._offsets[number])
        return np.frombuffer(record, dtype=np.float16) if _checksum(record) == checksum else None


def _checksum(record: bytes) -> bytes:
    # never 0, which stands for a record that was not written
    return (zlib.crc32(record) or 1).to_bytes(_CHECKSUM_BYTES, "little")


def _allocated(path: Path) -> int:
    """Bytes that a file takes on the disk, its holes left out."""
    return path.stat().st_blocks * 512 if path.exists() else 0


def _digest(features: Sequence[SquadFeature], teacher: DeFormerForQuestionAnswering, layers: int, *, bf16: bool) -> str:
    digest = blake2b(digest_size=16)
    digest.update(f"{fingerprint_model(teacher.backbone, 0)} {layers} {bf16}".encode())
    for feature in features:
        for ids in (feature.question_ids, feature.passage_ids):
            digest.update(len(ids).to_bytes(4, "little") + np.array(ids, dtype=np.int64).tobytes())
    return digest.hexdigest()
