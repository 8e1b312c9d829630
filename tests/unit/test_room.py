"""What a job is admitted by, and which idle slots go so that it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tightship.core.governor import Budget
from tightship.core.peak_share import LEARN_FROM
from tightship.core.receipt import Receipt
from tightship.operations import validation
from tightship.pool.pool import SlotReport
from tightship.room import Room
from tightship.runner import Runner
from tightship.store.record import JobRecord
from tightship.store.states import Status
from tightship.testing import StubPool

MIB = 2**20
MEDIA = {"duration_s": 3.0, "streams": [], "warnings": []}


class WarmPool(StubPool):
    """A pool with idle slots, which are gone when they have been recycled."""

    def __init__(self, *idle: SlotReport) -> None:
        super().__init__({})
        self.idle = idle

    def slots(self) -> tuple[SlotReport, ...]:
        """Return the idle slots."""
        return self.idle

    def recycle(self, pid: int) -> bool:
        """Let one go."""
        self.idle = tuple(slot for slot in self.idle if slot.pid != pid)
        return True

    @property
    def pids(self) -> set[int]:
        """Which are left."""
        return {slot.pid for slot in self.idle}


def idle(pid: int, held_mib: int, key: tuple[str, ...] | None = None) -> SlotReport:
    """Return an idle slot."""
    return SlotReport(pid, key, False, 1, held_mib * MIB, None, ())


def job(
    name: str = "one",
    reserved_mib: int | None = None,
    operation: str = "info",
    options: Mapping[str, Any] | None = None,
) -> JobRecord:
    """Return a job of which nothing else is known."""
    values: dict[str, Any] = {field.name: None for field in fields(JobRecord)}
    values |= {"id": name, "operation": operation, "options": options or {}, "media": MEDIA, "status": Status.RUNNING}
    return JobRecord(**values | {"reservation_bytes": None if reserved_mib is None else reserved_mib * MIB})


def room(pool: StubPool, soft_mib: int) -> Room:
    """Return the room of a pool; a look takes 100 MiB."""
    return Room(Runner(pool), Budget(soft_mib * MIB, 2**40), 100 * MIB)  # type: ignore[arg-type]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a model, for which all is installed."""
    monkeypatch.setattr(validation, "find_spec", lambda _name: object())
    for name in ("model.bin", "config.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


@pytest.mark.parametrize(("soft_mib", "left"), [(460, {1, 3}), (700, {1, 2, 3})])
def test_another_model_goes_before_one_is_loaded(model: Path, soft_mib: int, left: set[int]) -> None:
    """Of the idle slots, its own stays, and those that fit beside it."""
    wanted = job(reserved_mib=260, operation="transcribe", options={"model": str(model)})
    pool = WarmPool()
    key = Runner(pool).key(wanted.operation, wanted.options)  # type: ignore[arg-type]
    pool.idle = (idle(1, 150, key), idle(2, 150, ("transcribe", "another model")), idle(3, 150))

    room(pool, soft_mib).make(wanted, 0)

    assert pool.pids == left


def test_what_runs_counts_by_its_reservation() -> None:
    """Its peak is before it: an idle slot that fits beside what it holds now does not fit in the end."""
    pool = WarmPool(idle(1, 100, ("transcribe", "a model")))
    slots = room(pool, 600)

    slots.make(job(reserved_mib=200), 200 * MIB)
    assert pool.pids == {1}
    slots.make(job(reserved_mib=200), 350 * MIB)
    assert pool.pids == set()


def test_a_job_whose_model_is_gone_moves_nobody(tmp_path: Path) -> None:
    """What is wrong with it shows when it runs."""
    pool = WarmPool(idle(1, 500))

    room(pool, 600).make(job(reserved_mib=200, operation="transcribe", options={"model": str(tmp_path)}), 0)

    assert pool.pids == {1}


def test_idle_slots_over_the_line_are_let_go() -> None:
    """The largest first, and no more than it takes."""
    pool = WarmPool(idle(1, 300), idle(2, 200), idle(3, 100))

    room(pool, 400).keep()

    assert pool.pids == {2, 3}


@pytest.mark.parametrize(("reserved_mib", "left"), [([], True), ([200, None], True), ([200, 101], False)])
def test_room_to_look(reserved_mib: list[int | None], left: bool) -> None:
    """A look is counted beside all that runs; others that look have no reservation of their own."""
    assert room(WarmPool(), 400).is_left_to_look([job(str(each), each) for each in reserved_mib]) is left


def measured(peak_bytes: int, declared_bytes: int | None) -> Receipt:
    """Return the receipt of a job that went well."""
    return Receipt("info", "attempt", "ok", None, 1.0, peak_bytes=peak_bytes, declared_bytes=declared_bytes)


def test_what_jobs_needed_is_learnt() -> None:
    """A job that is like those before it is admitted by what they took."""
    slots = room(WarmPool(), 400)
    declared_bytes = slots.reservation_bytes(job(), MEDIA)

    for _ in range(LEARN_FROM):
        slots.learn(job(), measured(declared_bytes // 4, declared_bytes))

    assert slots.reservation_bytes(job(), MEDIA) < declared_bytes // 2


@pytest.mark.parametrize("known", [True, False])
def test_what_was_declared_then_counts(known: bool) -> None:
    """The model of the same name was a small one: that it needed little says nothing of the large one of today."""
    slots = room(WarmPool(), 400)
    declared_bytes = slots.reservation_bytes(job(), MEDIA)

    for _ in range(LEARN_FROM):
        slots.learn(job(), measured(declared_bytes // 4, declared_bytes // 4 if known else None))

    assert slots.reservation_bytes(job(), MEDIA) >= declared_bytes
