"""What jobs really need of the memory that is declared for them: learnt from the receipts of late."""

from __future__ import annotations

import math
from collections import OrderedDict, deque

#: Jobs below which nothing is learnt: the first ones load lazily and say little about the next.
LEARN_FROM = 5
#: Share of jobs that needed no more than what is learnt, before the margin.
QUANTILE = 0.95
#: The next job may be another kind of file; a quarter covers what inputs differ by beyond their size.
MARGIN = 1.25


class PeakShares:
    """Peaks as shares of the declared memory, a bounded number per name; not for several threads at once.

    The share and not the peak is learnt, so that the size of the input, which the declaration knows, keeps its say.
    """

    def __init__(self, per_name: int = 200, max_names: int = 64) -> None:
        self._per_name = per_name
        self._max_names = max_names
        self._shares: OrderedDict[str, deque[float]] = OrderedDict()

    def add(self, name: str, declared_bytes: int, peak_bytes: int) -> None:
        """Take note of a job that ran to its end."""
        self._shares.setdefault(name, deque(maxlen=self._per_name)).append(peak_bytes / max(1, declared_bytes))
        self._shares.move_to_end(name)
        if len(self._shares) > self._max_names:
            self._shares.popitem(last=False)

    def reservation_bytes(self, name: str, declared_bytes: int) -> int:
        """Return the memory to reserve: never more than declared while jobs keep to their declaration."""
        shares = sorted(self._shares.get(name, ()))
        if len(shares) < LEARN_FROM:
            return declared_bytes
        return math.ceil(declared_bytes * MARGIN * shares[math.ceil(QUANTILE * len(shares)) - 1])
