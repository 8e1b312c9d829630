"""A bell wakes one thread for one piece of work, and loses no ring."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tightship.core.bell import Bell

Eventually = Callable[..., None]
LONG_S = 60.0


def waiting(bell: Bell, count: int) -> tuple[list[threading.Thread], list[bool]]:
    """Have threads wait at a bell; what each wait returned is collected."""
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(bell.wait(LONG_S)), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def test_ring_before_the_wait_is_kept() -> None:
    """Whoever comes later does not wait; the ring is used up by it."""
    bell = Bell()
    bell.ring()
    bell.ring()

    assert bell.wait(LONG_S)
    assert not bell.wait(0.0)


def test_ring_wakes_one_thread(eventually: Eventually) -> None:
    """The others sleep on; those who are woken one after the other are all woken."""
    bell = Bell()
    threads, answers = waiting(bell, 3)

    for woken in (1, 2, 3):
        bell.ring()
        eventually(lambda woken=woken: len(answers) == woken)

    for thread in threads:
        thread.join(LONG_S)
    assert answers == [True] * 3


def test_silence_ends_with_the_limit() -> None:
    """No ring: the answer says so."""
    assert not Bell().wait(0.001)


def test_stopped_bell_holds_nobody() -> None:
    """Those who wait are woken, and nobody waits again."""
    bell = Bell()
    threads, answers = waiting(bell, 3)

    assert not bell.stopped
    bell.stop()

    for thread in threads:
        thread.join(LONG_S)
    assert answers == [False] * 3
    assert bell.stopped
    assert not bell.wait()
