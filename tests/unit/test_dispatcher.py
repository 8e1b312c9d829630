"""How the dispatcher wakes its threads and those who wait for a job, and tells how far it has come."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tightship import dispatcher as module
from tightship import news
from tightship.core.governor import Budget
from tightship.core.peak_share import LEARN_FROM
from tightship.core.receipt import Receipt
from tightship.dispatcher import Dispatcher
from tightship.errors import (
    Cancelled,
    ConversionFailed,
    DiskFull,
    JobNotFound,
    SchemaTooNew,
    StoreBusy,
    TightshipError,
)
from tightship.operations import validation
from tightship.pool.messages import Partial, Progress
from tightship.pool.pool import SlotReport
from tightship.recall import Recall
from tightship.runner import Runner
from tightship.store.config import CacheConfig, StoreConfig
from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.schema import HEAD
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

    sweeps = claims = looks = 0

    def sweep(self) -> SweepReport:
        """Count and sweep."""
        self.sweeps += 1
        return super().sweep()

    def claim(self, owner: str, budget_bytes: int) -> Any:
        """Count and claim."""
        self.claims += 1
        return super().claim(owner, budget_bytes)

    def claim_probe(self, owner: str, budget_bytes: int) -> Any:
        """Count and claim."""
        self.looks += 1
        return super().claim_probe(owner, budget_bytes)


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


def test_what_jobs_needed_is_known_after_a_restart(dispatcher: Dispatcher, store: Store, pool: Slots) -> None:
    """Their receipts were kept, so the next job is admitted by them."""
    declared_bytes = Runner(pool).reservation_bytes("info", {}, MEDIA)  # type: ignore[arg-type]
    for _ in range(LEARN_FROM):
        job = send(store)
        look = store.claim_probe("another process", 2**40)
        assert look is not None
        store.probed(look, MEDIA, declared_bytes)
        claim = store.claim("another process", 2**40)
        assert claim is not None
        peak_bytes = declared_bytes // 4
        receipt = Receipt("info", "attempt", "ok", None, 1.0, peak_bytes=peak_bytes, declared_bytes=declared_bytes)
        store.finish(claim, {}, receipt)

    dispatcher.start()

    assert dispatcher._room.reservation_bytes(job, MEDIA) < declared_bytes // 2


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


@pytest.mark.parametrize(("failing", "other"), [("take_over", "sweep"), ("sweep", "take_over")])
def test_full_disk_keeps_neither_the_dead_nor_their_files(
    dispatcher: Dispatcher, store: CountingStore, monkeypatch: pytest.MonkeyPatch, failing: str, other: str
) -> None:
    """To take a job over takes room, which the sweep makes: what fails of the two never stands before the other."""
    failed, reached = threading.Event(), threading.Event()
    do = getattr(store, other)

    def fail() -> Any:
        failed.set()
        raise DiskFull("the disk that holds the database is full")

    def do_and_say() -> Any:
        if failed.is_set():
            reached.set()
        return do()

    monkeypatch.setattr(module, "KEEP_EVERY_S", 0.01)
    monkeypatch.setattr(store, failing, fail)
    monkeypatch.setattr(store, other, do_and_say)
    dispatcher.start()

    assert reached.wait(LONG_S)


def test_job_wakes_only_who_does_what_it_needs(
    store: CountingStore, pool: Slots, tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job without an input to look at wakes nobody who looks, and its end neither while there is room."""
    monkeypatch.setattr(Dispatcher._loop, "__defaults__", (LONG_S,))
    dispatcher = Dispatcher(store, Runner(pool), Budget.within(2**34), tmp_path)  # type: ignore[arg-type]
    dispatcher.start()
    eventually(lambda: store.looks == 1, "the looks have been asked for at the start")

    for _ in range(3):
        job = store.submit(Request("info", {}, 0), reservation_bytes=2**20)
        dispatcher.ring(job)
        assert dispatcher.wait(job.id, LONG_S).status.final

    dispatcher.close(LONG_S)
    assert store.looks == 1


def test_look_that_found_no_room_is_taken_when_a_job_ends(
    store: CountingStore, pool: Slots, tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to come by again for it."""
    monkeypatch.setattr(Dispatcher._loop, "__defaults__", (LONG_S,))
    budget = Budget(store.config.probe_reservation_bytes, 2**40)
    dispatcher = Dispatcher(store, Runner(pool), budget, tmp_path)  # type: ignore[arg-type]
    working, go = threading.Event(), threading.Event()
    run = pool.run

    def run_when_told(task: Any, **rest: Any) -> Any:
        if task.source is None:
            working.set()
            assert go.wait(LONG_S)
        return run(task, **rest)

    monkeypatch.setattr(pool, "run", run_when_told)
    first = store.submit(Request("info", {}, 0), reservation_bytes=2**20)
    dispatcher.start()
    assert working.wait(LONG_S)
    waiting = send(store)
    asked = store.looks
    dispatcher.ring(waiting)
    eventually(lambda: store.looks > asked, "the look is asked for, and does not fit")
    go.set()

    assert dispatcher.wait(waiting.id, LONG_S / 2).status is Status.SUCCEEDED
    assert dispatcher.wait(first.id, LONG_S).status is Status.SUCCEEDED
    dispatcher.close(LONG_S)


class WarmSlots(Slots):
    """A pool that keeps a slot after its first task, until it is recycled."""

    kept = False

    def run(self, task: Any, **rest: Any) -> Any:
        """Answer, and keep a slot."""
        outcome = super().run(task, **rest)
        self.kept = True
        return outcome

    def slots(self) -> tuple[Any, ...]:
        """Return what is kept."""
        return (SlotReport(1, ("a model",), False, 1, 150 * 2**20, None, ()),) if self.kept else ()

    def recycle(self, pid: int) -> bool:
        """Let it go."""
        self.kept = False
        return True


def test_room_is_made_though_the_job_before_is_not_put_away(
    store: CountingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end lets the next one in; it counts no more then, and the slot that it leaves is in the way."""
    pool = WarmSlots({"info": MEDIA})
    finish, run = store.finish, pool.run
    kept: list[bool] = []
    next_runs = threading.Event()

    def finish_and_stay(*given: Any, **named: Any) -> JobRecord:
        record = finish(*given, **named)
        assert next_runs.wait(LONG_S)
        return record

    def run_and_tell(task: Any, **rest: Any) -> Any:
        kept.append(pool.kept)
        if len(kept) == 2:
            next_runs.set()
        return run(task, **rest)

    monkeypatch.setattr(store, "finish", finish_and_stay)
    monkeypatch.setattr(pool, "run", run_and_tell)
    budget = Budget(300 * 2**20, 2**40)
    dispatcher = Dispatcher(store, Runner(pool), budget, tmp_path)  # type: ignore[arg-type]
    jobs = [store.submit(Request("info", {}, 0), reservation_bytes=200 * 2**20) for _ in range(2)]
    dispatcher.start()

    assert {dispatcher.wait(job.id, LONG_S).status for job in jobs} == {Status.SUCCEEDED}
    dispatcher.close(LONG_S)
    assert kept == [False, False]


def test_cancel_of_another_process_is_seen(
    dispatcher: Dispatcher, store: CountingStore, pool: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store alone was told; the leases need not be due for it."""
    working = threading.Event()

    def run_until_cancelled(task: Any, *, cancel: threading.Event, **_: Any) -> Any:
        working.set()
        assert cancel.wait(LONG_S / 2)
        raise Cancelled("the job was cancelled")

    monkeypatch.setattr(pool, "run", run_until_cancelled)
    job = store.submit(Request("info", {}, 0), reservation_bytes=2**20)
    dispatcher.start()
    assert working.wait(LONG_S)

    store.cancel(job.id)

    assert dispatcher.wait(job.id, LONG_S).status is Status.CANCELLED


def test_job_that_runs_before_its_look_is_put_away_can_be_stopped(
    dispatcher: Dispatcher,
    store: CountingStore,
    pool: Slots,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The look's end, however late it comes, does not take the attempt off the list of those that are cancelled."""
    written, go, working = threading.Event(), threading.Event(), threading.Event()
    probed, run = store.probed, pool.run

    def probed_and_held(*given: Any) -> JobRecord:
        record = probed(*given)
        written.set()
        assert go.wait(LONG_S)
        return record

    def run_until_cancelled(task: Any, *, cancel: threading.Event, **rest: Any) -> Any:
        if task.name == "info":
            return run(task, cancel=cancel, **rest)
        working.set()
        assert cancel.wait(LONG_S / 4)
        raise Cancelled("the job was cancelled")

    monkeypatch.setattr(store, "probed", probed_and_held)
    monkeypatch.setattr(pool, "run", run_until_cancelled)
    job = send(store, "gif")
    dispatcher.start()
    assert written.wait(LONG_S)
    dispatcher.ring()
    assert working.wait(LONG_S)
    looks = store.looks
    go.set()
    eventually(lambda: store.looks > looks, "the look is put away")

    store.cancel(job.id)
    dispatcher.cancel(job.id)

    assert dispatcher.wait(job.id, LONG_S).status is Status.CANCELLED


def test_of_two_jobs_that_end_at_once_one_makes_room_to_look(
    store: CountingStore, pool: Slots, tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each leaves room when the other is gone; a look that found none is still taken at once."""
    monkeypatch.setattr(Dispatcher._loop, "__defaults__", (LONG_S,))
    budget = Budget(store.config.probe_reservation_bytes + 2**20, 2**40)
    dispatcher = Dispatcher(store, Runner(pool), budget, tmp_path)  # type: ignore[arg-type]
    both, gone = threading.Barrier(3), threading.Barrier(2)
    run, post = pool.run, dispatcher._ends.post

    def run_together(task: Any, **rest: Any) -> Any:
        if task.source is None:
            both.wait(LONG_S)
            both.wait(LONG_S)
        return run(task, **rest)

    def posted_together(job_id: str, news: JobRecord | None) -> None:
        if job_id in jobs:
            gone.wait(LONG_S)
        post(job_id, news)

    monkeypatch.setattr(pool, "run", run_together)
    monkeypatch.setattr(dispatcher._ends, "post", posted_together)
    jobs = {store.submit(Request("info", {}, 0), reservation_bytes=2**20).id for _ in range(2)}
    dispatcher.start()
    both.wait(LONG_S)
    waiting = send(store)
    asked = store.looks
    dispatcher.ring(waiting)
    eventually(lambda: store.looks > asked, "the look is asked for, and does not fit")
    both.wait(LONG_S)

    assert dispatcher.wait(waiting.id, LONG_S / 2).status is Status.SUCCEEDED
    dispatcher.close(LONG_S)


def test_what_gets_time_to_end_keeps_its_lease(
    dispatcher: Dispatcher,
    store: CountingStore,
    pool: Slots,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the dispatcher closes, too: the grace may be longer than a lease, and others must not do the job again."""
    monkeypatch.setattr(module, "KEEP_EVERY_S", 0.01)
    working, go = threading.Event(), threading.Event()
    run, renew = pool.run, store.renew
    renewals: list[str] = []

    def run_when_told(task: Any, **rest: Any) -> Any:
        working.set()
        assert go.wait(LONG_S)
        return run(task, **rest)

    def counted(claim: Any, *given: Any, **named: Any) -> Any:
        renewals.append(claim.job.id)
        return renew(claim, *given, **named)

    monkeypatch.setattr(pool, "run", run_when_told)
    monkeypatch.setattr(store, "renew", counted)
    job = store.submit(Request("info", {}, 0), reservation_bytes=2**20)
    dispatcher.start()
    assert working.wait(LONG_S)
    closing = threading.Thread(target=dispatcher.close, args=(LONG_S,), daemon=True)
    closing.start()
    eventually(lambda: dispatcher._runs.stopped, "it closes")
    renewed = len(renewals)

    eventually(lambda: len(renewals) > renewed + 3, "the lease is renewed", 10.0)
    go.set()
    closing.join(LONG_S)

    assert store.get(job.id).status is Status.SUCCEEDED


def test_job_that_is_claimed_while_all_is_told_to_stop_stops_too(
    dispatcher: Dispatcher, store: CountingStore, pool: Slots, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing does not wait for a job that nobody has told."""
    claimed, go = threading.Event(), threading.Event()
    claim = store.claim

    def claimed_and_held(*given: Any) -> Any:
        found = claim(*given)
        if found is not None:
            claimed.set()
            assert go.wait(LONG_S)
        return found

    def run_until_cancelled(task: Any, *, cancel: threading.Event, **_: Any) -> Any:
        assert cancel.wait(LONG_S / 4)
        raise Cancelled("the job was cancelled")

    monkeypatch.setattr(store, "claim", claimed_and_held)
    monkeypatch.setattr(pool, "run", run_until_cancelled)
    job = store.submit(Request("info", {}, 0), reservation_bytes=2**20)
    dispatcher.start()
    assert claimed.wait(LONG_S)
    closing = threading.Thread(target=dispatcher.close, args=(0.0,), daemon=True)
    closing.start()
    eventually(lambda: dispatcher._handing_back, "all is told to stop")
    go.set()
    closing.join(LONG_S)

    found = store.get(job.id)
    assert (found.status, found.attempts) == (Status.PENDING, 0)


@pytest.mark.parametrize("fault", [StoreBusy("others write"), DiskFull("no room")])
def test_news_that_cannot_be_written_end_no_job(
    dispatcher: Dispatcher, store: CountingStore, pool: Slots, monkeypatch: pytest.MonkeyPatch, fault: TightshipError
) -> None:
    """Work is worth more than word of how far it has come; parts that could not be written come with the next news."""
    monkeypatch.setattr(news, "EVERY_S", 0.0)
    monkeypatch.setattr(news, "WAIT_S", LONG_S)
    faults = [fault, fault]

    def fail_at_first(write: Callable[..., Any]) -> Callable[..., Any]:
        def tried(*given: Any, **named: Any) -> Any:
            if faults:
                raise faults.pop()
            return write(*given, **named)

        return tried

    def tell(task: Any, *, on_event: Callable[[Any], None], **rest: Any) -> Any:
        for number in range(2):
            on_event(Partial({"part": number}))
            on_event(Progress(number, 2, "tasks"))
        return Slots.run(pool, task, **rest)

    monkeypatch.setattr(store, "append_partial", fail_at_first(store.append_partial))
    monkeypatch.setattr(store, "renew", fail_at_first(store.renew))
    monkeypatch.setattr(pool, "run", tell)
    job = store.submit(Request("info", {}, 0), reservation_bytes=2**20)
    dispatcher.start()

    ended = dispatcher.wait(job.id, LONG_S)

    assert (ended.status, ended.attempts) == (Status.SUCCEEDED, 1)
    told = [(event.kind, event.data) for event in store.events_since(job.id) if event.kind != "status"]
    assert [kind for kind, _ in told] == ["partial", "partial", "progress"]
    assert [data for _, data in told[:2]] == [{"part": 0}, {"part": 1}]


@pytest.fixture
def locked(store: CountingStore) -> Iterator[sqlite3.Connection]:
    """Another process, which writes when it is told to, and for as long as it likes."""
    path = store._database.path
    with closing(sqlite3.connect(path, LONG_S, isolation_level=None, check_same_thread=False)) as other:
        yield other


def test_cancel_does_not_wait_for_news_of_a_busy_store(
    store: CountingStore, pool: Slots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: sqlite3.Connection
) -> None:
    """Others may write for a minute: whoever works sees at once that it is to stop; how it ended is written later."""
    monkeypatch.setattr(news, "EVERY_S", 0.0)
    working, stopped = threading.Event(), threading.Event()

    def tell_until_cancelled(task: Any, *, on_event: Callable[[Any], None], cancel: threading.Event, **_: Any) -> Any:
        working.set()
        while not cancel.is_set():
            on_event(Progress(1, 2, "tasks"))
            on_event(Partial({"part": 1}))
        stopped.set()
        raise Cancelled("the job was cancelled")

    monkeypatch.setattr(pool, "run", tell_until_cancelled)
    with CountingStore.open(tmp_path / "home", StoreConfig(lease_s=10 * LONG_S, busy_s=10 * LONG_S)) as patient:
        dispatcher = Dispatcher(patient, Runner(pool), Budget.within(2**34), tmp_path)  # type: ignore[arg-type]
        job = patient.submit(Request("info", {}, 0), reservation_bytes=2**20)
        dispatcher.start()
        assert working.wait(LONG_S)
        locked.execute("BEGIN IMMEDIATE")

        dispatcher.cancel(job.id)

        assert stopped.wait(LONG_S)
        locked.execute("ROLLBACK")
        assert dispatcher.wait(job.id, LONG_S).status is Status.CANCELLED
        dispatcher.close(LONG_S)


def test_newer_schema_ends_all_work(
    dispatcher: Dispatcher,
    store: CountingStore,
    pool: Slots,
    locked: sqlite3.Connection,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A newer version has migrated the database: what runs is stopped and brings nothing, and it is said once."""
    working = threading.Event()

    def run_until_cancelled(task: Any, *, cancel: threading.Event, **_: Any) -> Any:
        working.set()
        assert cancel.wait(LONG_S)
        raise Cancelled("the job was cancelled")

    monkeypatch.setattr(pool, "run", run_until_cancelled)
    job = store.submit(Request("info", {}, 0), reservation_bytes=2**20)
    dispatcher.start()
    assert working.wait(LONG_S)

    locked.execute("UPDATE alembic_version SET version_num = '9999'")

    eventually(lambda: not any(thread.is_alive() for thread in dispatcher._threads), "all work has ended")
    with pytest.raises(SchemaTooNew):
        dispatcher.wait(job.id)
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 1
    assert "no job is worked on any more: the database has schema 9999" in said[0]
    locked.execute(f"UPDATE alembic_version SET version_num = '{HEAD}'")
    found = store.get(job.id)
    assert (found.status, found.attempts, found.owner) == (Status.RUNNING, 1, dispatcher._owner)


@pytest.mark.parametrize("answer", [MEDIA, ConversionFailed("it is broken")])
def test_what_came_of_a_job_outlasts_a_busy_store(
    dispatcher: Dispatcher,
    store: CountingStore,
    pool: Slots,
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, Any] | TightshipError,
) -> None:
    """While the lease holds it is brought again: the work is done once, and costs one attempt."""
    refusals = [StoreBusy("others write")] * 2

    def busy_at_first(write: Callable[..., Any]) -> Callable[..., Any]:
        def tried(*given: Any, **named: Any) -> Any:
            if refusals:
                raise refusals.pop()
            return write(*given, **named)

        return tried

    monkeypatch.setattr(store, "finish", busy_at_first(store.finish))
    monkeypatch.setattr(store, "fail", busy_at_first(store.fail))
    pool._answers["info"] = answer
    job = store.submit(Request("info", {}, 0), reservation_bytes=2**20)
    dispatcher.start()

    ended = dispatcher.wait(job.id, LONG_S)

    assert refusals == []
    assert (ended.status, ended.attempts) == (Status.FAILED if ended.error else Status.SUCCEEDED, 1)
    assert len(pool.tasks) == 1


def test_what_cannot_be_brought_before_the_end_is_handed_back(
    dispatcher: Dispatcher, store: CountingStore, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That others wrote while the service stopped is no fault of the job's, and costs it no attempt."""
    refused = threading.Event()

    def busy(*_given: Any, **_named: Any) -> JobRecord:
        refused.set()
        raise StoreBusy("others write")

    monkeypatch.setattr(store, "finish", busy)
    job = store.submit(Request("info", {}, 0, max_attempts=1), reservation_bytes=2**20)
    dispatcher.start()
    assert refused.wait(LONG_S)

    dispatcher.close(0.0)

    found = store.get(job.id)
    assert (found.status, found.attempts) == (Status.PENDING, 0)


class WritingSlots(Slots):
    """A pool that leaves a file, as a slot does."""

    def run(self, task: Any, **rest: Any) -> Any:
        """Write the file and answer."""
        if task.deliver is not None:
            task.deliver.write_bytes(b"So it goes")
        return super().run(task, **rest)


@pytest.fixture
def remembering(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Dispatcher, Runner]:
    """A dispatcher that has not begun, and its runner, which remembers results; the folder of the test is a model."""
    monkeypatch.setattr(validation, "find_spec", lambda _name: object())
    for name in ("model.bin", "config.json"):
        (tmp_path / name).write_text("{}")
    pool = WritingSlots({"info": MEDIA, "transcribe": {"text": "So it goes", "complete": True}})
    runner = Runner(pool, recall=Recall(tmp_path / "home", CacheConfig(reserve_bytes=0)))  # type: ignore[arg-type]
    return Dispatcher(store, runner, Budget.within(2**34), tmp_path), runner


def test_content_that_was_worked_on_before_needs_no_slot(
    store: Store, tmp_path: Path, remembering: tuple[Dispatcher, Runner]
) -> None:
    """A second job of the same content ends with the same result and file, in one attempt, and nothing is admitted."""
    dispatcher, runner = remembering
    dispatcher.start()

    first, second = (dispatcher.wait(send(store, "transcribe", {"model": str(tmp_path)}).id, LONG_S) for _ in range(2))
    dispatcher.close(LONG_S)

    assert [task.name for task in runner.pool.tasks] == ["info", "transcribe"]  # type: ignore[attr-defined]
    assert (second.status, second.attempts, second.warnings) == (Status.SUCCEEDED, 1, first.warnings)
    assert (first.result, second.result) == (
        {"text": "So it goes", "complete": True},
        {"text": "So it goes", "complete": True, "cached": True},
    )
    assert first.result_digest == second.result_digest is not None
    assert (second.reservation_bytes, second.source_digest) == (None, None)
    assert second.receipt is not None
    assert (second.receipt.outcome, second.receipt.slot) == ("ok", None)
    assert [event.data["status"] for event in store.events_since(second.id) if event.kind == "status"][
        -1
    ] == "succeeded"


def test_what_is_old_is_forgotten_while_a_server_runs(
    store: Store, pool: Slots, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    """Also where nobody asks for it."""
    recall = Recall(tmp_path / "home", CacheConfig(reserve_bytes=0, ttl_s=1))
    recall.folder.mkdir(parents=True)
    entry = recall.folder / ("0" * 64)
    entry.write_text("So it goes")
    dispatcher = Dispatcher(store, Runner(pool, recall=recall), Budget.within(2**34), tmp_path)  # type: ignore[arg-type]

    dispatcher.start()
    eventually(lambda: not entry.exists(), "it is gone")
    dispatcher.close(LONG_S)


def test_a_job_that_was_looked_at_already_finds_what_came_meanwhile(
    store: Store, tmp_path: Path, remembering: tuple[Dispatcher, Runner]
) -> None:
    """Many of the same content may wait; the first one's result answers the others."""
    dispatcher, runner = remembering
    waiting = send(store, "transcribe", {"model": str(tmp_path)})
    assert dispatcher._probe_next()
    first = tmp_path / "first"
    first.write_bytes(b"a video")
    runner.run("transcribe", first, tmp_path / "out", {"model": str(tmp_path)})
    dispatcher.start()

    ended = dispatcher.wait(waiting.id, LONG_S)
    dispatcher.close(LONG_S)

    assert [task.name for task in runner.pool.tasks].count("transcribe") == 1  # type: ignore[attr-defined]
    assert (ended.status, (ended.result or {})["cached"]) == (Status.SUCCEEDED, True)
    assert ended.receipt is not None
    assert (ended.receipt.outcome, ended.result_bytes) == ("ok", len(b"So it goes"))
