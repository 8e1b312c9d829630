"""A stretch of sound that a model hears at once, and when each part of it was heard."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from math import ceil

from tightship.inference.voice import CHUNK, Samples

#: Samples per second.
RATE_HZ = 16_000
#: Seconds of one chunk.
CHUNK_S = CHUNK / RATE_HZ


@dataclass(frozen=True)
class Window:
    """Samples that are heard at once, and when they were heard.

    Args:
        samples: Mono, 16 kHz; long silences are cut out.
        starts_s: Where in the window each uncut piece begins, in seconds.
        times_s: When that was in the stream.
        voiced: Whether there is a voice in each chunk.
    """

    samples: Samples
    starts_s: tuple[float, ...]
    times_s: tuple[float, ...]
    voiced: tuple[bool, ...] = ()

    @property
    def duration_s(self) -> float:
        """Seconds in the window."""
        return self.samples.size / RATE_HZ

    @property
    def start_s(self) -> float:
        """When the window begins in the stream."""
        return self.times_s[0]

    @property
    def end_s(self) -> float:
        """When the window ends in the stream."""
        return self.times_s[-1] + self.duration_s - self.starts_s[-1]

    def before(self, time_s: float) -> Window:
        """Return what of the window precedes a time of the stream."""
        at = int(self._position_s(time_s) / CHUNK_S + 1e-6)
        pieces = max(1, bisect_left(self.starts_s, at * CHUNK_S - 1e-6))
        return Window(self.samples[: at * CHUNK], self.starts_s[:pieces], self.times_s[:pieces], self.voiced[:at])

    def after(self, time_s: float) -> Window:
        """Return what of the window follows a time of the stream."""
        at = ceil(self._position_s(time_s) / CHUNK_S - 1e-6)
        begin_s = at * CHUNK_S
        first = bisect_right(self.starts_s, begin_s + 1e-6)  # a border that was reckoned is not met to the last digit
        return Window(
            self.samples[at * CHUNK :],
            (0.0, *(start_s - begin_s for start_s in self.starts_s[first:])),
            (self.times_s[first - 1] + begin_s - self.starts_s[first - 1], *self.times_s[first:]),
            self.voiced[at:],
        )

    def _position_s(self, time_s: float) -> float:
        piece = max(bisect_right(self.times_s, time_s) - 1, 0)
        position_s = max(0.0, time_s - self.times_s[piece]) + self.starts_s[piece]
        return min(position_s, *self.starts_s[piece + 1 : piece + 2], self.duration_s)

    @property
    def voice_s(self) -> float:
        """Seconds of voice in the window."""
        return sum(self.voiced) * CHUNK_S

    def time_s(self, position_s: float, *, end: bool = False) -> float:
        """Return when a position of the window was heard.

        Args:
            position_s: Seconds from the window's start.
            end: Something ends there: on the border of two pieces it belongs to the earlier.
        """
        position_s = min(max(position_s, 0.0), self.duration_s)
        piece = bisect_right(self.starts_s, position_s - (1e-6 if end else 0.0)) - 1
        piece = max(piece, 0)
        return self.times_s[piece] + position_s - self.starts_s[piece]
