"""What was read, in memory that was taken before the first look: the instrument itself must not grow."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Sequence

from tightship.leaks.gauge import Gauge
from tightship.leaks.judgement import Track

#: Looks that there is room for; a trial that doubles its steps every other window never comes near.
ROOM = 4000


class Record:
    """Values of all gauges, before and after the garbage collector, look by look."""

    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self._gauges = tuple(gauges)
        self.names = tuple(name for gauge in gauges for name in gauge.names)
        self._steps = array("d", bytes(8 * ROOM))
        self._after = array("d", bytes(8 * ROOM * len(self.names)))
        self._float = array("d", bytes(8 * ROOM * len(self.names)))
        self._looks = 0

    @property
    def looks(self) -> int:
        """How often was looked so far."""
        return self._looks

    @property
    def is_full(self) -> bool:
        """Whether there is room for no further look."""
        return self._looks >= ROOM

    def look(self, step: int) -> None:
        """Read every gauge, collect garbage, and read again."""
        start = self._looks * len(self.names)
        self._read(self._float, start, settled=False)
        collected = gc.collect()
        self._read(self._after, start, settled=True)
        for column in range(start, start + len(self.names)):
            # Without garbage a difference is a free list that was emptied, or a thread that was just ending.
            self._float[column] = max(0.0, self._float[column] - self._after[column]) if collected else 0.0
        self._steps[self._looks] = step
        self._looks += 1

    def last(self, name: str) -> float:
        """Return the newest value of a metric, 0 where there is none."""
        return self._value(self._looks - 1, name) if self._looks else 0.0

    def first(self, name: str) -> float:
        """Return the first value of a metric, 0 where there is none."""
        return self._value(0, name) if self._looks else 0.0

    def tracks(self) -> dict[str, Track]:
        """Return all series by metric."""
        width = len(self.names)
        used = self._looks * width
        steps = self._steps[: self._looks].tolist()
        return {
            name: Track(
                name,
                tuple(zip(steps, self._after[column:used:width].tolist(), strict=True)),
                tuple(self._float[column:used:width].tolist()),
            )
            for column, name in enumerate(self.names)
        }

    def read_now(self) -> dict[str, float]:
        """Collect garbage and read every gauge, without recording it."""
        gc.collect()
        values = [value for gauge in self._gauges for value in gauge.read(True)]
        return dict(zip(self.names, values, strict=True))

    def _value(self, look: int, name: str) -> float:
        if name not in self.names:
            return 0.0
        return self._after[look * len(self.names) + self.names.index(name)]

    def _read(self, into: array[float], start: int, *, settled: bool) -> None:
        column = start
        for gauge in self._gauges:
            for value in gauge.read(settled):
                into[column] = value
                column += 1
