"""A clock that only moves when it is told to."""

from __future__ import annotations


class FakeClock:
    """A `tightship.core.clock.Clock` for tests.

    Args:
        monotonic_s: Where the monotonic time starts.
        wall_s: Where the time of day starts, in seconds since 1970.
    """

    def __init__(self, monotonic_s: float = 0.0, wall_s: float = 1_700_000_000.0) -> None:
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s

    def monotonic_s(self) -> float:
        """Return the seconds that have been advanced, plus the start."""
        return self._monotonic_s

    def wall_s(self) -> float:
        """Return the time of day, which advances with the monotonic time."""
        return self._wall_s

    def advance(self, duration_s: float) -> None:
        """Let `duration_s` seconds pass.

        Raises:
            ValueError: The duration is negative; a monotonic clock does not run backwards.
        """
        if duration_s < 0:
            raise ValueError(f"a clock cannot advance by {duration_s} s")
        self._monotonic_s += duration_s
        self._wall_s += duration_s

    def set_wall(self, wall_s: float) -> None:
        """Set the time of day, backwards too, as an administrator or NTP would."""
        self._wall_s = wall_s

    def __repr__(self) -> str:
        return f"FakeClock(monotonic_s={self._monotonic_s}, wall_s={self._wall_s})"
