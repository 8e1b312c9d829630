"""What the receipts of late say: how much memory an operation needs, and whether it leaves more each time."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import fields
from threading import Lock

from tightship.core.drift import Drift
from tightship.core.history import History
from tightship.core.receipt import Receipt

#: Receipts below which no peak is learned: the first jobs load lazily and say little about the next ones.
LEARN_FROM = 5
#: Share of jobs whose peak lies at or below the learned one, before the margin.
LEARN_QUANTILE = 0.95
#: The next job may be larger than any before; a fifth covers what inputs of one kind differ by.
LEARN_MARGIN = 1.2

_NUMBERS = frozenset(field.name for field in fields(Receipt)) - {
    "name", "kind", "outcome", "cause", "released", "left_behind",
}  # fmt: skip


class Ledger:
    """A bounded history of receipts for each name; may be used from any thread.

    Args:
        per_name: Receipts kept for each name; the oldest go first.
        max_names: Names kept; the one that was written to least recently goes first.
    """

    def __init__(self, per_name: int = 512, max_names: int = 64) -> None:
        if per_name < 1 or max_names < 1:
            raise ValueError(f"a ledger of {max_names} names and {per_name} receipts each holds nothing")
        self._per_name = per_name
        self._max_names = max_names
        self._pages: OrderedDict[str, deque[tuple[int, Receipt]]] = OrderedDict()
        self._histories: dict[str, History] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        with self._lock:
            pages = ", ".join(f"{name}: {len(page)}" for name, page in self._pages.items())
        return f"Ledger({pages})"

    def add(self, receipt: Receipt) -> None:
        """Write a receipt under its name."""
        with self._lock:
            page = self._pages.setdefault(receipt.name, deque(maxlen=self._per_name))
            page.append((page[-1][0] + 1 if page else 0, receipt))
            self._pages.move_to_end(receipt.name)
            self._histories.setdefault(receipt.name, History()).add(receipt)
            if len(self._pages) > self._max_names:
                forgotten, _ = self._pages.popitem(last=False)
                del self._histories[forgotten]

    def names(self) -> tuple[str, ...]:
        """Return the names there are receipts for, the most recently written last."""
        with self._lock:
            return tuple(self._pages)

    def receipts(self, name: str) -> tuple[Receipt, ...]:
        """Return the receipts of a name, the oldest first."""
        return tuple(receipt for _, receipt in self._page(name))

    def series(self, name: str, field: str) -> tuple[tuple[int, float], ...]:
        """Return (job number, value) of one measured field; receipts that lack it are left out.

        Raises:
            ValueError: Receipts have no such number.
        """
        if field not in _NUMBERS:
            raise ValueError(f"receipts have no number called {field!r}; there are {', '.join(sorted(_NUMBERS))}")
        found = ((number, getattr(receipt, field)) for number, receipt in self._page(name))
        return tuple((number, value) for number, value in found if value is not None)

    def learned_peak_bytes(self, name: str) -> int | None:
        """Return the memory to reserve for the next job of this name, or None while too few have been seen."""
        peaks = sorted(value for _, value in self.series(name, "peak_bytes"))
        if len(peaks) < LEARN_FROM:
            return None
        return math.ceil(LEARN_MARGIN * peaks[math.ceil(LEARN_QUANTILE * len(peaks)) - 1])

    def verdict(self, name: str) -> Drift:
        """Return whether the memory held after settling grows from job to job, by the latest look at a name's jobs.

        Looks come at 256 jobs and at every doubling, so that asking often finds growth no oftener.
        """
        with self._lock:
            return self._histories.get(name, History()).verdict()

    def _page(self, name: str) -> tuple[tuple[int, Receipt], ...]:
        with self._lock:
            return tuple(self._pages.get(name, ()))
