"""What the teacher makes of each feature, kept on disk: asked once for all epochs and students."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from haystack_deformer.modeling import DeFormerForQuestionAnswering
from haystack_deformer.modeling.fingerprint import fingerprint_model
from haystack_deformer.training.features import SquadFeature
from haystack_deformer.training.record_file import RecordFile
from haystack_deformer.training.teacher_output import TeacherOutput

logger = logging.getLogger(__name__)

_VALUE_BYTES = 2


class TeacherOutputStore:
    """
    A teacher's outputs on disk, in fp16: the logits in one file and the states of each layer in one of its own, so that
    students of different cuts share them. Several processes may write, each the features that it trains on.

    :param folder: those of one teacher on one data set share a folder in it, named by a digest of both.
    :param features: the data set.
    :param teacher: the model.
    :param ensemble: further models, whose logits are averaged with its own.
    :param layers: how many of its last layers are compared.
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
        ensemble: Sequence[DeFormerForQuestionAnswering] = (),
        bf16: bool = False,
    ) -> None:
        self.hidden_size = teacher.backbone.hidden_size
        self._columns = [1 + len(feature.passage_ids) for feature in features]
        self._tokens = [len(feature.question_ids) + len(feature.passage_ids) for feature in features]
        self.path = Path(folder) / _digest(features, (teacher, *ensemble), bf16=bf16)
        self.path.mkdir(parents=True, exist_ok=True)
        self._logits = RecordFile(self.path / "logits", [2 * columns * _VALUE_BYTES for columns in self._columns])
        self._layers = [
            RecordFile(
                self.path / f"layer-{layer}", [tokens * self.hidden_size * _VALUE_BYTES for tokens in self._tokens]
            )
            for layer in range(teacher.num_layers - layers + 1, teacher.num_layers + 1)
        ]
        missing = sum(file.missing_bytes for file in (self._logits, *self._layers))
        free = shutil.disk_usage(self.path).free
        if missing > free:
            msg = (
                f"The teacher's outputs on {len(features)} windows take {missing:,} bytes more and {str(folder)!r} has "
                f"{free:,} left: give a folder on another disk, or leave it out, and the teacher runs in every step."
            )
            raise ValueError(msg)
        logger.info("The teacher's outputs are kept in %s; %.1f GB are to come.", self.path, missing / 1e9)

    def write(self, features: Sequence[int], output: TeacherOutput) -> None:
        """
        Keep a batch's.

        :param features: their numbers.
        :param output: of the batch, with the states of as many layers as are kept.
        """
        for row, number in enumerate(features):
            columns = self._columns[number]
            logits = torch.stack([output.start_logits[row, :columns], output.end_logits[row, :columns]])
            self._logits.write(number, _to_bytes(logits))
        tokens = [self._tokens[number] for number in features]
        for file, layer in zip(self._layers, output.token_states, strict=True):
            for number, states in zip(features, layer.split(tokens), strict=True):
                file.write(number, _to_bytes(states))

    def read(self, features: Sequence[int], passage_length: int, device: torch.device) -> TeacherOutput | None:
        """
        The output of a batch; None where something of it is not there yet.

        :param features: their numbers.
        :param passage_length: of the padded batch.
        :param device: for the tensors.
        """
        kept = []
        # the lowest layer first: a student of a higher cut has left all but it, and nothing is read in vain
        for file in (*self._layers, self._logits):
            records = _read_all(file, features)
            if records is None:
                return None
            kept.append(records)
        *kept_layers, kept_logits = kept
        logits = np.full((2, len(features), 1 + passage_length), np.finfo(np.float32).min, dtype=np.float32)
        for row, (number, values) in enumerate(zip(features, kept_logits, strict=True)):
            logits[:, row, : self._columns[number]] = values.reshape(2, -1)
        start, end = torch.from_numpy(logits).to(device)
        states = (np.concatenate(layer).reshape(-1, self.hidden_size) for layer in kept_layers)
        return TeacherOutput(start, end, tuple(torch.from_numpy(layer).to(device) for layer in states))


def _read_all(file: RecordFile, numbers: Sequence[int]) -> list[npt.NDArray[np.float16]] | None:
    """All of some records, or None."""
    records = []
    for number in numbers:
        record = file.read(number)
        if record is None:
            return None
        records.append(np.frombuffer(record, dtype=np.float16))
    return records


def _to_bytes(tensor: Tensor) -> bytes:
    return tensor.half().cpu().numpy().tobytes()


def _digest(features: Sequence[SquadFeature], teachers: Sequence[DeFormerForQuestionAnswering], *, bf16: bool) -> str:
    digest = blake2b(digest_size=16)
    for teacher in teachers:
        # of all layers, the cut beside them
        digest.update(f"{fingerprint_model(teacher.backbone, 0)} {teacher.lower_layers} {bf16}".encode())
    for feature in features:
        for ids in (feature.question_ids, feature.passage_ids):
            digest.update(len(ids).to_bytes(4, "little") + np.array(ids, dtype=np.int64).tobytes())
    return digest.hexdigest()
