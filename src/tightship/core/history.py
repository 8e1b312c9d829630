"""What is kept of an operation's jobs to tell, at set times, whether it leaks: bounded, however many there are."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tightship.core.drift import Drift, Reading, drift
from tightship.core.receipt import Receipt
from tightship.core.verdict import Kind

#: Jobs at the first look; each further one comes at twice as many. Looking at every job would find chance's best hour.
FIRST_LOOK = 256
#: Chance of a false alarm over all looks together, however long the service runs: each look takes half of what is left.
ERROR = 0.01
#: Readings kept: about 300 bytes each, and enough for a detectable growth of a few kilobytes.
MAX_READINGS = 2048
#: A slot with fewer readings is not thinned; the oldest slot goes instead.
THIN_FROM = 64


@dataclass
class _Life:
    """One slot, as far as this operation's jobs ran in it."""

    jobs: int = 0
    era: int = 0
    largest: tuple[float, ...] = ()
    kept_bytes: float = 0.0
    stride: int = 1
    readings: list[Reading] = field(default_factory=list)

    def add(self, slot: int, receipt: Receipt, level_bytes: int, retained_bytes: int, keep: bool) -> None:
        sizes = _sizes(receipt)
        if any(size > most for size, most in zip(sizes, self.largest or sizes, strict=True)):
            self.era += 1
        self.largest = tuple(map(max, sizes, self.largest or sizes))
        self.kept_bytes += retained_bytes
        if keep:
            self.readings.append(Reading(slot, self.jobs, self.era, sizes, float(level_bytes), self.kept_bytes))
        self.jobs += 1


class History:
    """The levels an operation's jobs left behind, and the verdict at the latest look.

    Args:
        max_readings: Most readings kept; beyond, the fullest slot is thinned, or the oldest forgotten.
    """

    def __init__(self, max_readings: int = MAX_READINGS) -> None:
        self._max_readings = max_readings
        self._lives: dict[int, _Life] = {}
        self._kept = 0
        self._jobs = 0
        self._look = 0
        self._chance = random.Random(0)
        self._latest: Drift | None = None

    def add(self, receipt: Receipt) -> None:
        """Take note of a job, unless its memory was not measured or its slot died of it."""
        base_bytes, retained_bytes = receipt.base_bytes, receipt.retained_bytes
        if base_bytes is None or retained_bytes is None or receipt.outcome == "killed":
            return
        slot = receipt.slot or 0
        life = self._lives.setdefault(slot, _Life())
        keep = self._chance.random() * life.stride < 1
        life.add(slot, receipt, base_bytes + retained_bytes, retained_bytes, keep)
        self._jobs += 1
        self._kept += keep
        if self._kept > self._max_readings:
            self._thin()
        if self._jobs == self._next_look():
            self._judge()

    def verdict(self) -> Drift:
        """Return what the latest look showed."""
        if self._latest is not None:
            return self._latest
        jobs = f"{self._jobs} {'job' if self._jobs == 1 else 'jobs'}"
        reason = f"Too early to judge after {jobs}: the first look comes at {FIRST_LOOK}."
        return Drift(Kind.UNDECIDED, None, None, None, self._jobs, 0, reason)

    def _next_look(self) -> int:
        return FIRST_LOOK << self._look

    def _judge(self) -> None:
        self._look += 1
        readings = [reading for life in self._lives.values() for reading in life.readings]
        self._latest = drift(readings, jobs=self._jobs, error=ERROR / 2**self._look)

    def _thin(self) -> None:
        """Keep half as many readings of the fullest slot from now on, drawn by lot: no period shows as growth."""
        fullest = max(self._lives.values(), key=lambda life: len(life.readings))
        if len(fullest.readings) < THIN_FROM:
            self._kept -= len(self._lives.pop(next(iter(self._lives))).readings)
            return
        before = len(fullest.readings)
        fullest.readings = [reading for reading in fullest.readings if self._chance.random() < 0.5]
        fullest.stride *= 2
        self._kept -= before - len(fullest.readings)


def _sizes(receipt: Receipt) -> tuple[float, ...]:
    """Return the job's input and the memory it took beyond what was there: large files count, large pictures too."""
    own_bytes = (receipt.peak_bytes or 0) - (receipt.base_bytes or 0)
    return float(receipt.size_bytes or 0), float(max(0, own_bytes))
