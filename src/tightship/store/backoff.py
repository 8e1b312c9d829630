"""How long a job waits before it is tried again."""

from __future__ import annotations


def delay_s(attempts: int, jitter: float, base_s: float, cap_s: float) -> float:
    """Return the seconds to wait after so many attempts: full jitter under a limit that doubles each time.

    Args:
        attempts: Attempts already made, at least 1.
        jitter: A random number from 0 to 1.
        base_s: The limit after the first attempt.
        cap_s: What the limit never passes.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: of the variants compared there,
        full jitter makes the fewest calls.
    """
    # An exponent of thousands overflows a float long after the cap has been reached.
    doublings = min(attempts - 1, 60)
    return jitter * min(cap_s, base_s * 2.0**doublings)
