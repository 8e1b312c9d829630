"""A worker that was taken over evades the warden: what bounds it holds all the same."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tightship.errors import Cancelled, DeadlineExceeded, MemoryExceeded
from tightship.pool.deadline import Deadline
from tightship.pool.messages import Partial, Progress
from tightship.pool.pool import Pool

from .conftest import MakeTask

Eventually = Callable[..., None]
knows_the_machine = pytest.mark.skipif(
    os.uname().machine not in ("x86_64", "aarch64"), reason="numbers of system calls are not known here"
)


@knows_the_machine
@pytest.mark.parametrize("in_child", [False, True])
def test_memory_counts_though_the_first_thread_has_ended(pool: Pool, misdeed: MakeTask, in_child: bool) -> None:
    """The kernel's page on a process tells of no memory when its first thread has ended; the others hold it."""
    outcome = pool.run(misdeed("hog_without_leader", bytes_per_s=3e8, in_child=in_child, ceiling_bytes=200 * 2**20))

    assert isinstance(outcome.error, MemoryExceeded)
    assert outcome.receipt.cause == "memory"


def test_idle_slot_is_held_to_its_ceiling(pool: Pool, misdeed: MakeTask, eventually: Eventually) -> None:
    """What an attempt leaves at work is killed as well, and the next attempt has nothing to do with it."""
    left = pool.run(misdeed("leave_hog", bytes_per_s=3e8, ceiling_bytes=200 * 2**20)).unwrap()["pid"]

    eventually(lambda: not Path(f"/proc/{left}").exists(), "the idle slot is killed")
    assert pool.run(misdeed("nothing")).unwrap()["pid"] != left
    assert "memory while idle" in [receipt.cause for receipt in pool.ledger.receipts("worker")]


def test_worker_that_its_child_traces_is_killed(pool: Pool, misdeed: MakeTask, eventually: Eventually) -> None:
    """The end of a traced process is told to its tracer alone; the deadline holds all the same, and both go."""
    tracers: list[int] = []

    def note(event: Progress | Partial) -> None:
        if isinstance(event, Partial):
            tracers.append(event.payload["tracer"])

    with rescued(tracers):
        outcome = pool.run(misdeed("be_traced", deadline=Deadline(3, 3, 60)), on_event=note)

    assert isinstance(outcome.error, DeadlineExceeded)
    if not tracers:
        pytest.skip("no child may trace its parent here")
    eventually(lambda: not Path(f"/proc/{tracers[0]}").exists(), "the tracer is gone")


def test_worker_that_floods_its_caller_can_be_cancelled(pool: Pool, misdeed: MakeTask) -> None:
    """However much it sends, the caller does more than listen."""
    cancel = threading.Event()

    outcome = pool.run(misdeed("flood", deadline=Deadline(20, 20, 60)), on_event=lambda _: cancel.set(), cancel=cancel)

    assert isinstance(outcome.error, Cancelled)


@contextmanager
def rescued(pids: list[int]) -> Iterator[None]:
    """Kill what a caller waits for in vain, and fail, instead of waiting for ever."""
    late = threading.Event()

    def rescue() -> None:
        late.set()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(60.0, rescue)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
    assert not late.is_set(), "the caller was held up"


@knows_the_machine
def test_child_whose_end_is_told_to_nobody_is_reaped(pool: Pool, misdeed: MakeTask) -> None:
    """An attempt that leaves one ends as soon as any other."""
    outcome = pool.run(misdeed("leave_silent_child"))

    assert not Path(f"/proc/{outcome.unwrap()['pid']}").exists()
    assert outcome.receipt.released == ("1 stray processes",)
