"""When a slot has served long enough, its process is replaced between two attempts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tightship.core.governor import RecyclePolicy
from tightship.pool.deadline import Deadline
from tightship.pool.messages import Progress
from tightship.pool.nursery import Nursery
from tightship.pool.pool import Pool
from tightship.pool.slot import Slot
from tightship.pool.task import Task

from .conftest import MakeTask, OpenPool

MIB = 2**20


def test_slot_is_replaced_after_its_jobs(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """After `max_jobs` attempts the next one runs in a new process."""
    pool = open_pool(recycling=RecyclePolicy(max_jobs=3, jitter_share=0))

    pids = [pool.run(misdeed("nothing")).unwrap()["pid"] for _ in range(6)]

    assert pids == [pids[0]] * 3 + [pids[3]] * 3
    assert pids[0] != pids[3]


def test_receipts_tell_slots_apart(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """Each process has a number of its own, on the receipts of its jobs and on its own."""
    pool = open_pool(recycling=RecyclePolicy(max_jobs=2, jitter_share=0))

    slots = [pool.run(misdeed("nothing")).receipt.slot for _ in range(4)]

    assert slots == [slots[0]] * 2 + [slots[2]] * 2
    assert slots[0] != slots[2]
    assert [receipt.slot for receipt in pool.ledger.receipts("worker")] == [slots[0], slots[2]]


def test_slot_that_has_grown_is_replaced(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """A slot that keeps more than it may over its baseline is ended at the next safepoint."""
    pool = open_pool(recycling=RecyclePolicy(growth_bytes=32 * MIB))
    first = pool.run(misdeed("nothing")).unwrap()["pid"]
    small = pool.run(misdeed("keep", mib=16)).unwrap()["pid"]
    large = pool.run(misdeed("keep", mib=32)).unwrap()["pid"]

    assert first == small == large
    assert pool.run(misdeed("nothing")).unwrap()["pid"] != first


def test_end_of_a_process_has_its_receipt(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """The worker's whole life is a scope too, and the ledger holds its account."""
    pool = open_pool(recycling=RecyclePolicy(max_jobs=1, jitter_share=0))
    pool.run(misdeed("nothing")).unwrap()

    (receipt,) = pool.ledger.receipts("worker")
    assert (receipt.kind, receipt.outcome, receipt.cause) == ("worker", "ok", "recycled")
    assert receipt.cpu_s is not None
    assert receipt.cpu_s > 0
    assert receipt.left_behind == ()


def test_slots_of_a_session_are_let_go_of_together(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """Those of others stay; nothing is let go of that nobody has."""
    pool = open_pool(slots=2)
    tiny, base = misdeed("count", session="tiny"), misdeed("count", session="base")
    for task in (tiny, base):
        pool.run(task).unwrap()

    assert [pool.vacate(lambda key: key == tiny.key) for _ in range(2)] == [1, 0]
    assert [slot.key for slot in pool.slots()] == [base.key]


def test_session_at_work_is_not_let_go_of(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """Not even its idle slots go: all or none."""
    pool = open_pool(slots=2)
    task = misdeed("work_until_told", session="tiny", deadline=Deadline(0.3, 60, 60))
    told: list[object] = []

    def on_event(event: object) -> None:
        if isinstance(event, Progress):
            told.append(pool.vacate(lambda key: key == task.key))

    outcome = pool.run(task, on_event=on_event)

    assert outcome.error is None
    assert set(told) == {None}
    assert pool.vacate(lambda key: key == task.key) == 1


def test_who_lets_go_of_what_is_leaving_waits_until_it_is_gone(
    open_pool: OpenPool, misdeed: MakeTask, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    """Both who asked are told of the slot, and neither before its process has gone."""
    pool = open_pool(slots=2)
    task = misdeed("count", session="tiny")
    pid = pool.run(task).unwrap()["pid"]
    told: list[tuple[int | None, bool]] = []
    go_on = threading.Event()
    close = Slot.close

    def slow_close(slot: Slot, why: str) -> object:
        go_on.wait(30.0)
        return close(slot, why)

    def second_look(key: tuple[str, ...] | None) -> bool:
        go_on.set()
        return key == task.key

    def ask(meant: Callable[..., bool]) -> None:
        going = pool.vacate(meant)
        told.append((going, Path(f"/proc/{pid}").exists()))

    monkeypatch.setattr(Slot, "close", slow_close)
    asking = [threading.Thread(target=ask, args=(meant,)) for meant in (lambda key: key == task.key, second_look)]
    asking[0].start()
    eventually(lambda: not pool.slots(), "it is leaving")
    asking[1].start()
    for thread in asking:
        thread.join(60.0)

    assert told == [(1, False)] * 2


def test_session_is_not_opened_anew_before_the_old_one_is_gone(
    open_pool: OpenPool, misdeed: MakeTask, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    """A model is not there twice because it was unloaded: who wants it next waits until it is gone."""
    pool = open_pool(slots=2)
    task = misdeed("count", session="tiny")
    first = pool.run(task).unwrap()["pid"]
    happened: list[str] = []
    go_on = threading.Event()
    close, start, is_leaving = Slot.close, Nursery.open_slot, Pool._is_leaving

    def slow_close(slot: Slot, why: str) -> object:
        go_on.wait(30.0)
        happened.append("gone")
        return close(slot, why)

    def noted_start(nursery: Nursery, task: Task) -> Slot:
        happened.append("started")
        return start(nursery, task)

    def noted_look(pool: Pool, key: tuple[str, ...] | None) -> bool:
        found = is_leaving(pool, key)
        if found and "asked" not in happened:
            happened.append("asked")
        return found

    monkeypatch.setattr(Slot, "close", slow_close)
    monkeypatch.setattr(Nursery, "open_slot", noted_start)
    monkeypatch.setattr(Pool, "_is_leaving", noted_look)
    letting_go = threading.Thread(target=pool.vacate, args=(lambda key: key == task.key,))
    letting_go.start()
    eventually(lambda: not pool.slots(), "it is leaving")
    pids: list[int] = []
    next_one = threading.Thread(target=lambda: pids.append(pool.run(task).unwrap()["pid"]))
    next_one.start()
    eventually(lambda: "asked" in happened, "the next one waits")
    go_on.set()
    for thread in (letting_go, next_one):
        thread.join(30.0)

    assert happened[:3] == ["asked", "gone", "started"]
    assert pids[0] != first
