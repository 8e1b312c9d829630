"""How long an attempt may take."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tightship.errors import InvalidOptions


@dataclass(frozen=True)
class Deadline:
    """Limits on the time of one attempt, in seconds from its start.

    Args:
        soft_s: Ask the operation to stop; it keeps a partial result where it can.
        hard_s: Kill the slot.
        no_progress_s: Kill the slot when the work got no further for so long.
        pace_s: Seconds granted for each unit of work done, where that comes to more: the input may be longer than it
            claims to be.
        most_s: What the pace may grant at most.
    """

    soft_s: float
    hard_s: float
    no_progress_s: float = 60.0
    pace_s: float = 0.0
    most_s: float = 0.0

    def __post_init__(self) -> None:
        for limit_s in (self.soft_s, self.hard_s, self.no_progress_s, self.pace_s, self.most_s):
            if not 0 <= limit_s < math.inf:
                raise InvalidOptions(f"a deadline must be a finite number of seconds, not {limit_s}")

    @classmethod
    def within(cls, limit_s: float, no_progress_s: float = 60.0) -> Deadline:
        """Return a deadline that asks at `limit_s`, and kills a tenth (at least 2 s) later."""
        return cls(limit_s, limit_s + max(2.0, limit_s / 10), no_progress_s)

    def after(self, done: float) -> Deadline:
        """Return the deadline of an attempt that has done so much."""
        granted_s = min(self.pace_s * done, self.most_s)
        # What is no number (none at all, times infinity) is not more than was claimed.
        return Deadline.within(granted_s, self.no_progress_s) if granted_s > self.soft_s else self

    def next_kill(self, started_s: float, progressed_s: float) -> tuple[float, str]:
        """Return when to kill, on the clock that both times were read from, and what that kill is called."""
        hard_at_s = started_s + self.hard_s
        stalled_at_s = progressed_s + self.no_progress_s
        return (stalled_at_s, "no_progress") if stalled_at_s < hard_at_s else (hard_at_s, "deadline")
