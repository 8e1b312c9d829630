"""When a request is made again, and after what wait. Decisions only."""

from __future__ import annotations

from dataclasses import dataclass

from tightship.errors import IdempotencyConflict, QueueFull, SeatLost, ServerUnreachable, TightshipError


@dataclass(frozen=True)
class Retries:
    """How often, and how long, a client tries.

    Args:
        max_tries: Requests made for one answer, the first included.
        base_s: Longest wait in seconds before the second; it doubles with each.
        cap_s: Longest wait in seconds before any; a server that asks for more gets its error raised.
    """

    max_tries: int = 6
    base_s: float = 0.5
    cap_s: float = 60.0

    def wait_s(self, error: TightshipError, tries: int, jitter: float) -> float | None:
        """Return the seconds until the next try; None when there is none.

        Args:
            error: What the last try gave.
            tries: How many there have been.
            jitter: A number from 0 to 1 that scales the wait where the server names none.
        """
        if tries >= self.max_tries or not _curable(error, tries):
            return None
        asked_s = error.details.get("retry_after_s")
        if isinstance(asked_s, int | float):
            return asked_s if asked_s <= self.cap_s else None
        return float(min(self.cap_s, self.base_s * 2 ** (tries - 1)) * jitter)


def _curable(error: TightshipError, tries: int) -> bool:
    """Whether the same request may be answered differently later.

    A conflict of keys cannot be with anybody else, because the key is our own: the server has not yet noticed that the
    try before this one was cut off.
    """
    if isinstance(error, IdempotencyConflict):
        return tries > 1
    return isinstance(error, QueueFull | SeatLost | ServerUnreachable) or (error.retryable and error.http_status == 503)
