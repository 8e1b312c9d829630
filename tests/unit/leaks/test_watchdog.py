"""Steps that raise or hang."""

from __future__ import annotations

import signal
import threading

import pytest

from tightship.leaks.fault import StepFailed
from tightship.leaks.step import Step
from tightship.leaks.watchdog import Watchdog, run_steps


def test_a_step_that_raises_is_named_by_its_number() -> None:
    """With the cause."""
    calls: list[None] = []

    def step() -> None:
        calls.append(None)
        if len(calls) == 2:
            raise ValueError("two\nlines")

    with pytest.raises(StepFailed, match=r"step 2 failed: ValueError: two lines") as failed:
        run_steps(Step(step), 5, 10, Watchdog())
    assert isinstance(failed.value.__cause__, ValueError)
    assert failed.value.details["step"] == 2


def test_a_step_that_exits_has_failed() -> None:
    """A program's own exit must not end the test run."""

    def step() -> None:
        raise SystemExit(3)

    with pytest.raises(StepFailed, match="SystemExit: 3"):
        run_steps(Step(step), 1, 10, Watchdog())


def test_a_step_that_hangs_is_ended() -> None:
    """A lock that nobody gives back is waited for no longer than the limit."""
    lock, watchdog = threading.Lock(), Watchdog()
    lock.acquire()
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        with watchdog.guarding(), pytest.raises(StepFailed, match="step 1 did not end within 50 ms"):
            run_steps(Step(lock.acquire), 1, 0.05, watchdog)
        assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_search_that_hangs_is_cut_off() -> None:
    """What it is waiting for is not waited for any longer, and nothing is raised."""
    lock, watchdog = threading.Lock(), Watchdog()
    lock.acquire()
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        with watchdog.guarding(), watchdog.cutting_off(0.05):
            lock.acquire()
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_an_alarm_that_is_in_use_is_left_alone() -> None:
    """Another tool's own limit stays in force."""
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        handler = signal.getsignal(signal.SIGALRM)
        with Watchdog().guarding():
            assert signal.getsignal(signal.SIGALRM) is handler
    finally:
        signal.signal(signal.SIGALRM, before)
