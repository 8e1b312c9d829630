"""When an upload is too slow, decided without a network."""

from __future__ import annotations

import pytest

from tightship.http.config import MAX_HELD_BYTES, HttpConfig
from tightship.http.pace import Pace


def paced(rates: list[float], every_s: float = 0.5) -> list[bool]:
    """Return whether an upload is too slow, step by step, where 100 bytes a second over 10 s are wanted."""
    pace, found = Pace(100, 10.0), []
    for rate in rates:
        pace.note(every_s, int(rate * every_s))
        found.append(pace.too_slow)
    return found


def test_nobody_is_too_slow_at_first() -> None:
    """Until the window has passed there is nothing to judge by."""
    assert paced([0] * 20) == [False] * 19 + [True]


def test_a_slow_upload_is_found_when_the_window_has_passed() -> None:
    """Neither earlier nor later."""
    assert paced([50] * 30).index(True) == 19


@pytest.mark.parametrize("rate", [100, 150, 10**6])
def test_a_fast_enough_upload_is_never_too_slow(rate: float) -> None:
    """Steadily at the limit is enough."""
    assert not any(paced([rate] * 200))


def test_what_came_long_ago_does_not_count() -> None:
    """A fast start is forgotten: whoever stops afterwards is found within the window and a step."""
    late = paced([10**6] * 20 + [0] * 30)
    assert 20 < late.index(True) <= 20 + 22


def test_a_pause_within_the_window_is_no_harm() -> None:
    """It is the average that counts."""
    assert not any(paced([400, 400, 0, 0, 0, 0] * 20))


def test_a_byte_at_a_time_is_not_remembered_byte_by_byte() -> None:
    """Its memory is bounded, however small the pieces and however long the upload."""
    pace = Pace(100, 10.0)
    for _ in range(10_000):
        pace.note(0.001, 1)
    assert len(pace._steps) <= 12
    assert pace.bytes_per_s == pytest.approx(1000, rel=0.01)
    assert repr(pace) == "Pace(1000 of 100 bytes/s after 10.0 s)"


def test_the_wait_for_our_own_disk_is_nobodys_fault() -> None:
    """Pieces that were there at once take no time, however long it took to write them."""
    pace = Pace(100, 10.0)
    for _ in range(5):
        pace.note(0.0, 1)
    assert not pace.too_slow


def test_a_seat_is_for_who_is_fast_enough() -> None:
    """It is taken at what the least rate brings within the window, and never for more than is kept in memory."""
    assert HttpConfig(min_upload_bytes_per_s=1000, upload_window_s=5.0).seat_after_bytes == 5000
    assert HttpConfig(min_upload_bytes_per_s=10**9).seat_after_bytes == MAX_HELD_BYTES
