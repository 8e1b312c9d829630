"""Slots that hang, hog, crash or are killed: the attempt is accounted for, and the next one runs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tightship.core import procfs
from tightship.core.restart import RestartIntensity
from tightship.errors import (
    Cancelled,
    DeadlineExceeded,
    MemoryExceeded,
    NoProgress,
    ScopeMisused,
    SlotsUnavailable,
    WorkerDied,
)
from tightship.pool.deadline import Deadline
from tightship.pool.messages import Partial
from tightship.pool.pool import Pool

from .conftest import TRIES, MakeTask, OpenPool, possessions, soonest

MIB = 2**20
Eventually = Callable[..., None]


@pytest.mark.alone
def test_endless_c_loop_is_killed_at_its_deadline(pool: Pool, misdeed: MakeTask) -> None:
    """A loop in C that holds the interpreter lock ends within half a second of its hard deadline."""
    pool.run(misdeed("nothing")).unwrap()

    outcome = soonest(1.5, lambda: pool.run(misdeed("spin_in_c", deadline=Deadline(0.5, 1.0, 60))))

    assert outcome.error is not None
    assert outcome.error.code == "deadline_exceeded"
    assert outcome.receipt.outcome == "killed"
    assert outcome.receipt.cause == "deadline"
    assert 1.0 <= outcome.receipt.wall_s < 1.5
    assert outcome.last_progress == (1, 10, "s")
    assert outcome.receipt.cpu_s


def test_work_that_gets_no_further_is_killed(pool: Pool, misdeed: MakeTask) -> None:
    """Reports of progress that do not progress are no progress."""
    outcome = pool.run(misdeed("stall", deadline=Deadline(60, 60, 0.5)))

    assert isinstance(outcome.error, NoProgress)
    assert outcome.receipt.cause == "no_progress"
    assert outcome.receipt.wall_s < 30  # and not the minute of its deadline


def test_work_that_progresses_outlives_the_no_progress_limit(pool: Pool, misdeed: MakeTask) -> None:
    """Progress moves the limit forward."""
    outcome = pool.run(misdeed("work_until_told", deadline=Deadline(3, 60, 2.0)))

    assert outcome.error is None
    assert outcome.receipt.wall_s > 2.9


def test_work_that_turns_out_longer_than_was_claimed_gets_longer(pool: Pool, misdeed: MakeTask) -> None:
    """Soft and hard deadline grow with the work that is done, so honest work is neither stopped nor killed early."""
    outcome = pool.run(misdeed("work_until_told", deadline=Deadline(0.5, 1, 60, pace_s=3, most_s=4)))

    assert outcome.error is None
    assert outcome.receipt.wall_s > 3.9


def test_what_work_claims_to_have_done_buys_a_bounded_time(pool: Pool, misdeed: MakeTask) -> None:
    """A slot that reports any amount of work and then hangs is killed at the most that may be granted."""
    outcome = pool.run(misdeed("boast", deadline=Deadline(0.5, 1, 60, pace_s=3, most_s=2)))

    assert isinstance(outcome.error, DeadlineExceeded)
    assert outcome.error.details["limit_s"] == 4  # asked to stop after 2 s, killed 2 s later
    assert outcome.receipt.wall_s > 3.9


@pytest.mark.alone
@pytest.mark.parametrize("rate_gb_s", [0.2, 1.0])
def test_hog_is_killed_near_its_ceiling(pool: Pool, misdeed: MakeTask, rate_gb_s: float) -> None:
    """A native hog at up to 1 GB/s is killed with at most 100 MB over its ceiling."""
    ceiling_bytes = 400 * MIB

    outcome = pool.run(misdeed("hog", bytes_per_s=rate_gb_s * 1e9, ceiling_bytes=ceiling_bytes))

    assert isinstance(outcome.error, MemoryExceeded)
    assert outcome.receipt.cause == "memory"
    assert outcome.receipt.peak_bytes is not None
    assert ceiling_bytes < outcome.receipt.peak_bytes < ceiling_bytes + 100e6
    assert "400 MiB" in outcome.error.public_message


def test_memory_of_children_counts(pool: Pool, misdeed: MakeTask) -> None:
    """The ceiling holds for the slot's whole process tree."""
    outcome = pool.run(misdeed("hog_in_child", ceiling_bytes=300 * MIB))

    assert isinstance(outcome.error, MemoryExceeded)


@pytest.mark.parametrize(
    ("deed", "options", "cause"),
    [
        ("segfault", {}, "signal 11"),
        ("signal", {"number": signal.SIGKILL}, "signal 9"),
        ("exit", {"code": 3}, "exit 3"),
        ("exit", {"code": 0}, "exit 0"),
    ],
)
def test_death_is_told_with_its_cause(
    pool: Pool, misdeed: MakeTask, deed: str, options: dict[str, int], cause: str
) -> None:
    """A worker that dies in an attempt gives a receipt with the cause, and the next attempt runs in a new one."""
    outcome = pool.run(misdeed(deed, **options))

    assert isinstance(outcome.error, WorkerDied)
    assert outcome.receipt.cause == cause
    assert outcome.error.details["cause"] == cause
    assert pool.run(misdeed("nothing")).error is None


def test_crash_in_native_code_leaves_its_last_words(pool: Pool, misdeed: MakeTask) -> None:
    """What the dying worker wrote is kept with the error, for the log and not for the public."""
    outcome = pool.run(misdeed("segfault"))

    assert outcome.error is not None
    assert "Segmentation fault" in str(outcome.error.details["log"])
    assert "Segmentation fault" not in outcome.error.public_message


@pytest.mark.parametrize("text", ["\x00\x00\x00\x05hello", "\xff\xff\xff\xff", '\x00\x00\x00\x0a{"is":"No"}'])
def test_worker_that_talks_nonsense_is_ended(pool: Pool, misdeed: MakeTask, text: str) -> None:
    """What is not a message ends the slot and nothing else."""
    outcome = pool.run(misdeed("babble", bytes=text))

    assert isinstance(outcome.error, WorkerDied)
    assert pool.run(misdeed("nothing")).error is None


def test_killed_slot_harms_its_attempt_only(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """SIGKILL of one busy slot leaves the attempt in the other one alone."""
    pool = open_pool(slots=2)
    task = misdeed("work_until_told", deadline=Deadline(4, 60, 60))
    # One that is killed before it has taken the attempt on is replaced, and nobody notices.
    under_way = [threading.Event(), threading.Event()]
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(pool.run, task, on_event=lambda _, begun=begun: begun.set()) for begun in under_way]
        assert all(begun.wait(60) for begun in under_way)
        os.kill(pool.slots()[0].pid, signal.SIGKILL)
        outcomes = [run.result() for run in runs]

    assert sorted(outcome.receipt.outcome for outcome in outcomes) == ["killed", "ok"]
    assert {outcome.receipt.cause for outcome in outcomes} == {"signal 9", None}


def test_idle_slot_killed_from_outside_is_replaced(pool: Pool, misdeed: MakeTask, eventually: Eventually) -> None:
    """The next attempt does not notice that its slot had died."""
    first = pool.run(misdeed("nothing")).unwrap()["pid"]
    os.kill(first, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{first}").exists(), "the warden reaps it")

    second = pool.run(misdeed("nothing")).unwrap()["pid"]

    assert second != first


def test_idle_slot_leaves_by_itself(open_pool: OpenPool, misdeed: MakeTask, eventually: Eventually) -> None:
    """A slot without work gives its memory back, and work that comes later gets a new one."""
    pool = open_pool(idle_s=0.2)
    first = pool.run(misdeed("nothing")).unwrap()["pid"]

    eventually(lambda: not Path(f"/proc/{first}").exists(), "the idle slot leaves")

    assert pool.run(misdeed("nothing")).unwrap()["pid"] != first


def test_killed_warden_takes_its_slots_along(pool: Pool, misdeed: MakeTask, eventually: Eventually) -> None:
    """Without a warden no slot lives on unwatched; the next attempt gets a new warden."""
    worker = pool.run(misdeed("nothing")).unwrap()["pid"]
    assert pool.warden_pid is not None
    os.kill(pool.warden_pid, signal.SIGKILL)
    eventually(lambda: not procfs.is_running(worker, procfs.start_time(worker)), "the worker dies with the warden")

    assert pool.run(misdeed("nothing")).error is None


@pytest.mark.alone
def test_cancel_kills_what_does_not_listen(pool: Pool, misdeed: MakeTask) -> None:
    """An attempt that ignores its cancel is gone within a second."""
    took_s = []

    for _ in range(TRIES):
        cancel, asked_s = threading.Event(), list[float]()

        def cancel_now(_: object, cancel: threading.Event = cancel, asked_s: list[float] = asked_s) -> None:
            asked_s.append(time.monotonic())
            cancel.set()

        outcome = pool.run(misdeed("ignore_cancel"), on_event=cancel_now, cancel=cancel)
        took_s.append(time.monotonic() - asked_s[-1])
        assert isinstance(outcome.error, Cancelled)
        assert outcome.receipt.outcome == "cancelled"
        if took_s[-1] < 1:
            break

    assert min(took_s) < 1


def test_failing_callback_ends_the_attempt(pool: Pool, misdeed: MakeTask) -> None:
    """When the caller's own callback raises, nothing goes on unheard."""

    def fail(_: object) -> None:
        raise LookupError("from the callback")

    with pytest.raises(LookupError, match="from the callback"):
        pool.run(misdeed("work_until_told"), on_event=fail)
    assert pool.slots() == ()


@pytest.mark.parametrize("hang", [False, True])
def test_descendants_go_with_the_attempt(pool: Pool, misdeed: MakeTask, eventually: Eventually, hang: bool) -> None:
    """A child, a grandchild in another session and a daemon without environment are gone when the attempt is."""
    pids: list[int] = []

    def note(event: object) -> None:
        if isinstance(event, Partial):
            pids.extend(event.payload["pids"])

    limit_s = 4 if hang else 60  # what does not hang may be slow to start its children
    outcome = pool.run(misdeed("daemonise", hang=hang, deadline=Deadline(limit_s, limit_s, 60)), on_event=note)

    assert len(pids) >= 2
    assert outcome.receipt.outcome == ("killed" if hang else "ok")
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "every descendant is gone")


@pytest.mark.parametrize("hang", [False, True])
def test_orphans_that_a_worker_renounces_are_killed(
    pool: Pool, misdeed: MakeTask, eventually: Eventually, hang: bool
) -> None:
    """A worker that was taken over may stop adopting: what it starts is killed all the same, while it lives on."""
    left = pool.run(misdeed("disown", hang=hang)).unwrap()["pid"]

    eventually(lambda: not Path(f"/proc/{left}").exists(), "the orphan is gone")
    assert len(pool.slots()) == 1


def test_fifty_hang_kills_leave_nothing(pool: Pool, misdeed: MakeTask, home: Path) -> None:
    """Fifty killed attempts leave descriptors, threads, children and temporary files as they were."""
    pool.run(misdeed("nothing")).unwrap()
    pool.run(misdeed("spin_in_c", deadline=Deadline(0.1, 0.1, 60)))
    before = possessions(home)

    for _ in range(50):
        outcome = pool.run(misdeed("spin_in_c", deadline=Deadline(0.1, 0.1, 60)))
        assert outcome.receipt.cause == "deadline"

    assert possessions(home) == before


def test_workers_that_cannot_start_open_the_breaker(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """When workers keep dying at their start, callers are told to come back instead of starting more."""
    pool = open_pool(restarts=RestartIntensity(max_deaths=1, within_s=60, cool_down_s=60), start_s=0.0)

    for _ in range(2):
        with pytest.raises(WorkerDied):
            pool.run(misdeed("nothing"))
    with pytest.raises(SlotsUnavailable) as caught:
        pool.run(misdeed("nothing"))

    assert 0 < float(str(caught.value.details["retry_after_s"])) <= 60


def test_closed_pool_says_so(pool: Pool, misdeed: MakeTask, home: Path) -> None:
    """A closed pool holds nothing, takes no work, and closes twice without harm."""
    pool.run(misdeed("nothing")).unwrap()
    pool.close()
    pool.close()

    assert list((home / "scratch").iterdir()) == []
    with pytest.raises(ScopeMisused):
        pool.run(misdeed("nothing"))


def test_waiting_caller_gets_the_slot_next(pool: Pool, misdeed: MakeTask) -> None:
    """More callers than slots take turns, one attempt at a time per slot."""
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda _: pool.run(misdeed("nothing")), range(12)))

    assert all(outcome.error is None for outcome in outcomes)
    assert len(pool.slots()) == 1
