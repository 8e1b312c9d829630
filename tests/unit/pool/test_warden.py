"""When the warden looks at a slot."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tightship.pool.channel import Channel, ChannelClosed
from tightship.pool.messages import Exited, Watch
from tightship.pool.ward import DEATH_WAIT_S, POLL_IDLE_S, POLL_MAX_S, POLL_MIN_S, Ward
from tightship.pool.warden import Warden

#: None is opened: it would take over the signals of this process.
WARDEN = Warden.__new__(Warden)


@pytest.fixture
def ward() -> Iterator[Ward]:
    """A slot that nothing has been said of yet."""
    ours, theirs = Channel.pair()
    with theirs:
        yield Ward(1, ours, None)
    ours.close()


@pytest.fixture
def told() -> Iterator[tuple[Ward, Channel]]:
    """A slot, and what hears of it."""
    ours, theirs = Channel.pair()
    pool = Channel(theirs)
    yield Ward(1, ours, None), pool
    ours.close()
    pool.close()


def test_slot_that_begins_is_looked_at_soon_and_not_at_once(ward: Ward) -> None:
    """The first look takes no processor from the work; it comes as soon as any other."""
    before_s = time.monotonic()
    ward.obey(Watch(2**20, math.inf, fresh=True))

    assert before_s + POLL_MIN_S <= ward.poll_at_s <= time.monotonic() + POLL_MIN_S


def test_new_limits_put_no_look_off(ward: Ward) -> None:
    """Or a slot that gets further again and again would never be looked at."""
    ward.obey(Watch(2**20, math.inf, fresh=True))
    due_s = ward.poll_at_s

    ward.obey(Watch(2**20, math.inf))

    assert ward.poll_at_s == due_s


def test_idle_slot_is_looked_at_at_once_and_then_now_and_then(ward: Ward) -> None:
    """Its attempt may have left something at work; what it should not do at all may take a second to be noticed."""
    ward.obey(Watch(2**40, math.inf, fresh=True))
    ward.obey(Watch(2**40))

    before_s = time.monotonic()
    assert [WARDEN._enforce(ward, time.monotonic()) for _ in range(2)] == [True, False]
    assert before_s + POLL_IDLE_S <= ward.poll_at_s <= time.monotonic() + POLL_IDLE_S


def test_slot_without_limits_is_looked_at_once(ward: Ward) -> None:
    """Before its first attempt there is nothing to hold it to."""
    ward.obey(Watch())

    assert [WARDEN._enforce(ward, time.monotonic()) for _ in range(2)] == [True, False]
    assert ward.poll_at_s == math.inf


@pytest.mark.parametrize(
    ("watch", "cause"),
    [
        (Watch(1, math.inf), "memory"),
        (Watch(1), "memory while idle"),
        (Watch(kill_at_s=0.0, cause="cancelled"), "cancelled"),
    ],
)
def test_slot_that_was_killed_is_waited_for(ward: Ward, watch: Watch, cause: str) -> None:
    """It may take long to be gone: now and then the dead are reaped, and no limit is enforced any more."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        ward.pid = process.pid
        ward.obey(watch)
        assert WARDEN._enforce(ward, time.monotonic() + 2 * POLL_MIN_S)
        killed_s = ward.report_at_s - DEATH_WAIT_S
        for _ in range(2):
            assert (ward.killed_for, ward.watch) == (cause, Watch())
            assert ward.due_s() == pytest.approx(killed_s + POLL_MAX_S)
            assert not WARDEN._enforce(ward, killed_s)
            ward.obey(watch)  # it arrives late
        assert WARDEN._enforce(ward, ward.poll_at_s)
        assert ward.due_s() == pytest.approx(killed_s + 2 * POLL_MAX_S)
        assert process.wait(60) == -signal.SIGKILL


def test_death_that_cannot_be_seen_is_reported(told: tuple[Ward, Channel]) -> None:
    """A slot that is stuck in the kernel, or held by a debugger, does not hold its caller up."""
    ward, pool = told
    ward.doom("deadline", 100.0)

    assert WARDEN._enforce(ward, 100.0 + POLL_MAX_S)
    assert pool.receive(0) is None
    assert WARDEN._enforce(ward, 100.0 + DEATH_WAIT_S)
    assert WARDEN._enforce(ward, 101.0 + DEATH_WAIT_S)

    report = pool.receive(10)
    assert isinstance(report, Exited)
    assert report.cause == "deadline"
    with pytest.raises(ChannelClosed):
        pool.receive(10)
