"""Times taken side by side: machines are noisy, so that only what runs in turn can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter, sleep

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

_SETTLE_SECONDS = 0.1


@dataclass(frozen=True)
class Times:
    """
    Seconds of repeated calls.

    :param seconds: of each call.
    """

    seconds: npt.NDArray[np.float64]

    @property
    def median(self) -> float:
        """In seconds."""
        return float(np.median(self.seconds))

    @property
    def p95(self) -> float:
        """In seconds; 95% of the calls were faster."""
        return float(np.quantile(self.seconds, 0.95))

    def ratio(self, other: Times) -> tuple[float, float, float]:
        """
        How many times slower the other is, call by call.

        :param other: times of calls that took turns with these.
        :return: median, and the lower and upper quartile.
        """
        low, middle, high = np.quantile(other.seconds / self.seconds, [0.25, 0.5, 0.75])
        return float(middle), float(low), float(high)


def take_turns(
    calls: Mapping[str, Callable[[int], object]],
    rounds: int,
    *,
    warm_up: int = 1,
    before: Callable[[], object] | None = None,
    progress_bar: bool = True,
) -> dict[str, Times]:
    """
    Call each in turn, round by round, so that what slows the machine slows all of them.

    :param calls: by name; called with the number of the round.
    :param rounds: how many are counted.
    :param warm_up: rounds before them that are not.
    :param before: called before each call, off the clock.
    :param progress_bar: whether to show one.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in tqdm(range(-warm_up, rounds), desc="Timing", unit=" rounds", disable=not progress_bar):
        for name, call in calls.items():
            if before is not None:
                before()
            # some runtimes' threads go on waiting for work in a loop, on the cores of whoever comes next
            sleep(_SETTLE_SECONDS)
            begin = perf_counter()
            call(max(number, 0))
            taken[name].append(perf_counter() - begin)
    return {name: Times(np.array(seconds[warm_up:])) for name, seconds in taken.items()}


class Products:
    """
    Products of a transformer's layer in fp32, again and again: the rate that its layers could reach.

    :param width: of the states.
    :param rows: tokens of a sequence.
    :param repeats: layers.
    """

    def __init__(self, width: int, rows: int = 160, repeats: int = 3) -> None:
        # four square products, and two with four times the width
        shapes = [*[(width, width)] * 4, (width, 4 * width), (4 * width, width)] * repeats
        self.operations = sum(2 * rows * k * n for k, n in shapes)
        self._pairs = [(torch.randn(rows, k), torch.randn(k, n)) for k, n in shapes]

    def __call__(self, *_: object) -> None:
        """Compute all of them."""
        with torch.inference_mode():
            for left, right in self._pairs:
                left @ right

    def rate(self, times: Times) -> float:
        """
        Floating-point operations a second.

        :param times: of calls.
        """
        return self.operations / times.median
