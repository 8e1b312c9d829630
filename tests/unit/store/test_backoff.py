"""How long a job waits before it is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tightship.store.backoff import delay_s


def test_limit_doubles_up_to_the_cap() -> None:
    """5, 10, 20 seconds and so on, and never more than the cap."""
    assert [delay_s(attempts, 1.0, 5.0, 30.0) for attempts in range(1, 6)] == [5.0, 10.0, 20.0, 30.0, 30.0]


def test_jitter_is_full() -> None:
    """Anything from nothing to the limit, so that jobs that failed together do not come back together."""
    assert [delay_s(2, jitter, 5.0, 600.0) for jitter in (0.0, 0.25, 1.0)] == [0.0, 2.5, 10.0]


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 1e6), st.floats(0, 1e6))
def test_wait_is_never_longer_than_the_cap(attempts: int, jitter: float, base_s: float, cap_s: float) -> None:
    """Also after more attempts than a float can count doublings."""
    assert 0 <= delay_s(attempts, jitter, base_s, cap_s) <= cap_s
