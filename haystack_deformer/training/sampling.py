"""The order of the features in an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from haystack_deformer.training.features import SquadFeature

# of which like lengths are put together: enough to find some, few enough that neighbours differ from epoch to epoch
_BATCHES_SORTED_TOGETHER = 50
_LENGTH_STEP = 16


class SharedWindowSampler(Sampler[int]):
    """
    Batches of like length, with several questions on one window in the same batch.

    Padding is most of the cost of a mixed batch, and the lower layers run once for all questions of a batch on one
    window. The order depends on the seed and the epoch alone, so that a resumed run goes on with it.

    :param features: to put in order.
    :param batch_size: features in a batch.
    :param questions_per_window: questions on one window that are kept together, at most.
    :param seed: of the order.
    """

    def __init__(
        self, features: Sequence[SquadFeature], batch_size: int, questions_per_window: int = 1, seed: int = 0
    ) -> None:
        self.windows = np.array([feature.window for feature in features])
        self.lengths = np.array([len(feature.question_ids) + len(feature.passage_ids) for feature in features])
        self.batch_size = batch_size
        self.questions_per_window = questions_per_window
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """
        Choose the epoch whose order comes next; called by the training loop.

        :param epoch: from 0.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.windows)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        for features in self._chunks(self._groups(rng)):
            batches = [features[start : start + self.batch_size] for start in range(0, len(features), self.batch_size)]
            # longest first would alternate between kinds of data; a short batch stays last, to keep the others whole
            whole = [batch for batch in batches if len(batch) == self.batch_size]
            for number in rng.permutation(len(whole)):
                yield from whole[number].tolist()
            for batch in batches[len(whole) :]:
                yield from batch.tolist()

    def _groups(self, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
        """Questions on one window, some at a time, in random order."""
        shuffled = rng.permutation(len(self.windows))
        by_window = shuffled[np.argsort(self.windows[shuffled], kind="stable")]
        edges = np.flatnonzero(np.diff(self.windows[by_window])) + 1
        size = self.questions_per_window
        groups = [
            features[start : start + size]
            for features in np.split(by_window, edges)
            for start in range(0, len(features), size)
        ]
        return [groups[number] for number in rng.permutation(len(groups))]

    def _chunks(self, groups: list[npt.NDArray[np.int64]]) -> Iterator[npt.NDArray[np.int64]]:
        """Some batches' worth of features at a time, sorted by length, groups kept together."""
        most = self.batch_size * _BATCHES_SORTED_TOGETHER
        chunk: list[npt.NDArray[np.int64]] = []
        count = 0
        for group in groups:
            chunk.append(group)
            count += len(group)
            # whole batches alone, so that only the epoch's last one is short
            if count >= most:
                features = self._sorted(chunk)
                yield features[:most]
                chunk = [features[most:]] if count > most else []
                count -= most
        if chunk:
            yield self._sorted(chunk)

    def _sorted(self, groups: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
        # rounded, so that groups on one window, of one length to the token, do not all end up side by side
        return np.concatenate(sorted(groups, key=lambda group: -(int(self.lengths[group].max()) // _LENGTH_STEP)))
