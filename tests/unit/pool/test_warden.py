"""When the warden looks at a slot."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tightship.pool.channel import Channel
from tightship.pool.messages import Watch
from tightship.pool.warden import POLL_MIN_S, Warden, _Ward

#: None is opened: it would take over the signals of this process.
WARDEN = Warden.__new__(Warden)


@pytest.fixture
def ward() -> Iterator[_Ward]:
    """A slot that nothing has been said of yet."""
    ours, theirs = Channel.pair()
    with theirs:
        yield _Ward(1, ours, None)
    ours.close()


def test_slot_that_begins_is_looked_at_soon_and_not_at_once(ward: _Ward) -> None:
    """The first look takes no processor from the work; it comes as soon as any other."""
    before_s = time.monotonic()
    ward.obey(Watch(2**20, math.inf, fresh=True))

    assert before_s + POLL_MIN_S <= ward.poll_at_s <= time.monotonic() + POLL_MIN_S


def test_new_limits_put_no_look_off(ward: _Ward) -> None:
    """Or a slot that gets further again and again would never be looked at."""
    ward.obey(Watch(2**20, math.inf, fresh=True))
    due_s = ward.poll_at_s

    ward.obey(Watch(2**20, math.inf))

    assert ward.poll_at_s == due_s


def test_slot_is_looked_at_once_more_after_its_attempt(ward: _Ward) -> None:
    """It may have left something behind; while it is idle it is left alone."""
    ward.obey(Watch(2**20, math.inf, fresh=True))

    ward.obey(Watch())

    assert [WARDEN._enforce(ward, time.monotonic()) for _ in range(2)] == [True, False]
    assert ward.poll_at_s == math.inf


@pytest.mark.parametrize(
    ("watch", "cause"), [(Watch(1), "memory"), (Watch(kill_at_s=0.0, cause="cancelled"), "cancelled")]
)
def test_slot_that_was_killed_is_not_looked_at(ward: _Ward, watch: Watch, cause: str) -> None:
    """It may take long to be gone; until then there is nothing to do."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        ward.pid = process.pid
        ward.obey(watch)
        assert WARDEN._enforce(ward, math.nextafter(math.inf, 0))
        for _ in range(2):
            assert (ward.killed_for, ward.watch, ward.poll_at_s) == (cause, Watch(), math.inf)
            ward.obey(watch)  # it arrives late
        assert process.wait(60) == -signal.SIGKILL
