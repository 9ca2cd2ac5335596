"""Times taken side by side: machines are noisy, so that only what runs in turn can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt
from tqdm import tqdm


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
            begin = perf_counter()
            call(max(number, 0))
            taken[name].append(perf_counter() - begin)
    return {name: Times(np.array(seconds[warm_up:])) for name, seconds in taken.items()}


def matmul_flops(shapes: Sequence[tuple[int, int, int]], repeats: int = 20) -> float:
    """
    Floating-point operations a second that PyTorch reaches in fp32 products, the best of some tries.

    :param shapes: (m, k, n) of products that are computed one after the other.
    :param repeats: tries.
    """
    import torch  # noqa: PLC0415  # seconds, which a look at the help need not wait

    pairs = [(torch.randn(m, k), torch.randn(k, n)) for m, k, n in shapes]
    operations = sum(2 * m * k * n for m, k, n in shapes)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(repeats):
            begin = perf_counter()
            for left, right in pairs:
                left @ right
            best = min(best, perf_counter() - begin)
    return operations / best
