"""How the dispatcher wakes its threads and those who wait for a job, and tells how far it has come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tightship import dispatcher as module
from tightship import runner
from tightship.core.governor import Budget
from tightship.dispatcher import Dispatcher, progress_of
from tightship.errors import JobNotFound
from tightship.pool.messages import Progress
from tightship.pool.pool import SlotReport
from tightship.runner import Runner
from tightship.store.config import StoreConfig
from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.states import Status
from tightship.store.store import Store
from tightship.store.sweep import SweepReport
from tightship.testing import StubPool

Eventually = Callable[..., None]
LONG_S = 60.0
MEDIA = {"duration_s": 3.0, "streams": [], "warnings": ["it is short"]}


class Slots(StubPool):
    """A pool that answers and has no worker to tell of."""

    def slots(self) -> tuple[()]:
        """Return none."""
        return ()


class CountingStore(Store):
    """A store that counts the questions it is asked."""

    sweeps = claims = 0

    def sweep(self) -> SweepReport:
        """Count and sweep."""
        self.sweeps += 1
        return super().sweep()

    def claim(self, owner: str, budget_bytes: int) -> Any:
        """Count and claim."""
        self.claims += 1
        return super().claim(owner, budget_bytes)


@pytest.fixture
def pool() -> Slots:
    """What a look at an input tells."""
    return Slots({"info": MEDIA})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CountingStore]:
    """An empty store."""
    with CountingStore.open(tmp_path / "home", StoreConfig(lease_s=10 * LONG_S)) as opened:
        yield opened


@pytest.fixture
def dispatcher(pool: Slots, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dispatcher]:
    """A dispatcher that has not begun to work, and when it does sweeps only once."""
    monkeypatch.setattr(module, "KEEP_EVERY_S", LONG_S)
    made = Dispatcher(store, Runner(pool), Budget.within(2**34), tmp_path)  # type: ignore[arg-type]
    yield made
    made.close(LONG_S)


def send(store: Store, operation: str = "info", options: Mapping[str, Any] | None = None) -> JobRecord:
    """Let a job in."""
    with store.blobs.open_upload(100) as upload:
        upload.write(b"a video")
        return store.submit(Request(operation, options or {}, 7), upload.commit())


def test_job_is_waited_for(dispatcher: Dispatcher, store: Store) -> None:
    """Waiting returns the job as its end left it."""
    job = send(store)
    dispatcher.start()

    ended = dispatcher.wait(job.id, LONG_S)

    assert (ended.status, ended) == (Status.SUCCEEDED, store.get(job.id))


def test_job_that_has_ended_is_not_waited_for(dispatcher: Dispatcher, store: Store) -> None:
    """Whoever comes late is told at once."""
    job = send(store)
    store.cancel(job.id)

    assert dispatcher.wait(job.id).status is Status.CANCELLED


def test_waiting_has_a_limit(dispatcher: Dispatcher, store: Store) -> None:
    """Then the job is told as it stands; one that does not exist is not waited for."""
    assert dispatcher.wait(send(store).id, 0.001).status is Status.PENDING
    with pytest.raises(JobNotFound):
        dispatcher.wait("nobody's")


@pytest.mark.parametrize(("why", "status"), [("cancelled", Status.CANCELLED), ("closed", Status.PENDING)])
def test_waiting_ends_without_a_result(dispatcher: Dispatcher, store: Store, why: str, status: Status) -> None:
    """A job that is cancelled before it begins, and a dispatcher that closes, keep nobody waiting."""
    job = send(store)
    found: list[JobRecord] = []
    waiter = threading.Thread(target=lambda: found.append(dispatcher.wait(job.id)), daemon=True)
    waiter.start()

    if why == "cancelled":
        store.cancel(job.id)
        dispatcher.cancel(job.id)
    else:
        dispatcher.close(0.0)

    waiter.join(LONG_S)
    assert [each.status for each in found] == [status]


def test_input_that_answers_the_job_is_looked_at_once(dispatcher: Dispatcher, store: Store, pool: Slots) -> None:
    """What the look told is the result, and the look was the attempt: one task, one receipt, its warnings kept."""
    job = send(store)
    dispatcher.start()

    ended = dispatcher.wait(job.id, LONG_S)

    assert [task.name for task in pool.tasks] == ["info"]
    assert (ended.status, ended.attempts, ended.result) == (Status.SUCCEEDED, 1, MEDIA)
    assert ended.receipt is not None
    assert (ended.receipt.name, ended.receipt.kind) == ("info", "attempt")
    assert [dict(warning) for warning in ended.warnings] == [{"code": "input", "message": "it is short"}]


def test_ring_wakes_nobody_who_has_nothing_to_do_with_it(
    dispatcher: Dispatcher, store: CountingStore, eventually: Eventually
) -> None:
    """A new job does not have the leases renewed and the store swept."""
    dispatcher.start()
    eventually(lambda: store.sweeps == 1, "the sweep at the start")

    for _ in range(3):
        asked = store.claims
        dispatcher.ring()
        eventually(lambda asked=asked: store.claims > asked, "the line is asked")

    assert store.sweeps == 1


@pytest.mark.parametrize(
    ("event", "fraction", "eta_s"),
    [
        (Progress(0, 60, "s"), 0.0, None),
        (Progress(15, 60, "s"), 0.25, 30.0),
        (Progress(90, 60, "s"), 1.0, 0.0),
        (Progress(7, None, "frames"), None, None),
        (Progress(7, 0, "frames"), None, None),
    ],
)
def test_progress_for_people(event: Progress, fraction: float | None, eta_s: float | None) -> None:
    """The rest is reckoned from the time the done part took; what is not known is not guessed."""
    told = progress_of(event, 10.0)

    assert (told["fraction"], told["eta_s"]) == (fraction, eta_s)
    assert (told["done"], told["total"], told["unit"]) == (event.done, event.total, event.unit)


class WarmSlots(Slots):
    """A pool with idle slots, which are gone when they have been recycled."""

    idle: tuple[SlotReport, ...] = ()

    def slots(self) -> Any:
        """Return the idle slots."""
        return self.idle

    def recycle(self, pid: int) -> bool:
        """Let one go."""
        self.idle = tuple(slot for slot in self.idle if slot.pid != pid)
        return True


@pytest.mark.parametrize(("soft_mib", "left"), [(460, {1, 3}), (700, {1, 2, 3})])
def test_another_model_goes_before_one_is_loaded(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, soft_mib: int, left: set[int]
) -> None:
    """Idle slots that would leave too little for a job are closed before it; its own, and those that fit, stay warm."""
    monkeypatch.setattr(runner, "find_spec", lambda _name: object())
    for name in ("model.bin", "config.json"):
        (tmp_path / name).write_text("{}")
    options = {"model": str(tmp_path)}
    pool = WarmSlots({"info": MEDIA, "transcribe": {}})
    key = Runner(pool).key("transcribe", options)  # type: ignore[arg-type]
    held = {1: key, 2: ("transcribe", "another model"), 3: None}
    pool.idle = tuple(SlotReport(pid, key, False, 1, 150 * 2**20, None, ()) for pid, key in held.items())
    dispatcher = Dispatcher(store, Runner(pool), Budget(soft_mib * 2**20, 2**40), tmp_path)  # type: ignore[arg-type]
    job = send(store, "transcribe", options)
    dispatcher.start()

    ended = dispatcher.wait(job.id, LONG_S)
    dispatcher.close(LONG_S)

    assert (ended.status, ended.error) == (Status.SUCCEEDED, None)
    assert {slot.pid for slot in pool.idle} == left
