"""How fast an upload comes, and when that is too slow to keep its place from others.

Only the seconds spent waiting for the sender count: a server that is slow itself blames nobody.
"""

from __future__ import annotations

from collections import deque

#: Steps that the window moves on by, so that a byte at a time is not remembered byte by byte.
STEPS = 10


class Pace:
    """The rate of an upload over the last seconds, against the least that is wanted.

    Args:
        min_bytes_per_s: Average over the window below which the upload is too slow.
        window_s: Seconds that are averaged over; nobody is too slow before they have passed.
    """

    def __init__(self, min_bytes_per_s: float, window_s: float) -> None:
        self.min_bytes_per_s = min_bytes_per_s
        self.window_s = window_s
        self._waited_s = 0.0
        #: Steps with the bytes that came in them. One more than the window has: what it cuts in two counts whole.
        self._steps: deque[tuple[int, int]] = deque()

    def note(self, waited_s: float, size_bytes: int) -> None:
        """Take in that so many bytes came after a wait of so many seconds."""
        self._waited_s += waited_s
        step = int(self._waited_s / self.window_s * STEPS)
        if self._steps and self._steps[-1][0] == step:
            size_bytes += self._steps.pop()[1]
        self._steps.append((step, size_bytes))
        while self._steps[0][0] < step - STEPS:
            self._steps.popleft()

    @property
    def bytes_per_s(self) -> float:
        """Bytes a second over the window."""
        return sum(size_bytes for _, size_bytes in self._steps) / self.window_s

    @property
    def too_slow(self) -> bool:
        """Whether the upload has fallen behind."""
        return self._waited_s >= self.window_s and self.bytes_per_s < self.min_bytes_per_s

    def __repr__(self) -> str:
        return f"Pace({self.bytes_per_s:.0f} of {self.min_bytes_per_s:g} bytes/s after {self._waited_s:.1f} s)"
