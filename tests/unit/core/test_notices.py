"""News reach all who wait for them, and nobody else."""

from __future__ import annotations

import time

from tightship.core.notices import Notices

LONG_S = 60.0


def test_news_reach_all_who_wait_for_their_key() -> None:
    """Two wait for the same; the third for something else."""
    notices = Notices[str]()
    with notices.expecting("a") as one, notices.expecting("a") as two, notices.expecting("b") as other:
        notices.post("a", "done")

        assert [one.wait(LONG_S), two.wait(LONG_S), other.wait(0.0)] == ["done", "done", None]


def test_news_come_in_order() -> None:
    """What is posted before the wait is kept for it."""
    notices = Notices[int]()
    with notices.expecting("a") as news:
        notices.post("a", 1)
        notices.post("a", 2)

        assert [news.wait(LONG_S), news.wait(LONG_S)] == [1, 2]


def test_everybody_can_be_woken() -> None:
    """With no news, each looks for itself."""
    notices = Notices[int]()
    with notices.expecting("a") as one, notices.expecting("b") as two:
        notices.wake()

        assert (one.wait(LONG_S), two.wait(LONG_S)) == (None, None)


def test_nothing_is_kept_for_nobody() -> None:
    """News that nobody waits for are dropped, and so is a key when its last waiter goes."""
    notices = Notices[int]()
    notices.post("a", 1)
    with notices.expecting("a") as news:
        assert [news.wait(0.0), news.wait(0.0)] == [None, None]

    assert repr(notices) == "<Notices: 0 expected>"


def test_who_comes_late_looks_at_once() -> None:
    """Nobody waits in vain for what was told just before."""
    notices = Notices[int]()
    notices.post("a", 1)
    began_s = time.monotonic()
    with notices.expecting("a") as news:
        assert news.wait(LONG_S) is None

    assert time.monotonic() - began_s < LONG_S


def test_what_was_told_long_ago_is_forgotten() -> None:
    """A bounded number of keys is remembered."""
    notices = Notices[int]()
    notices.post("a", 1)
    for number in range(1000):
        notices.post(str(number), number)
    with notices.expecting("a") as news:
        notices.post("a", 2)

        assert news.wait(LONG_S) == 2
