"""From the line to the slots: claim jobs, run them, bring back what came of them."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tightship.core.bell import Bell
from tightship.core.governor import Budget
from tightship.core.notices import Notices
from tightship.core.receipt import Receipt
from tightship.errors import Cancelled, ConversionFailed, SchemaTooNew, StaleClaim, StoreBusy, TightshipError
from tightship.news import News
from tightship.pool.content import Content
from tightship.room import Room
from tightship.runner import Job, Runner
from tightship.store.record import Claim, JobRecord, Renewal
from tightship.store.states import Status
from tightship.store.store import Store

#: Longest sleep of a thread that has no work, in seconds: what another process lets in is found by then.
IDLE_S = 1.0
#: How long the end of a job is waited for before the store is asked, in seconds: asking would hold up a short one.
SOON_S = 0.02
#: Most jobs whose receipts are learnt from at the start.
LEARN_FROM_LAST = 200
#: How often leases are renewed and time's work is done, in seconds; oftener where leases are short.
KEEP_EVERY_S = 5.0
#: How often it is looked whether another process wants a job to stop, in seconds: with the half second that work has to
#: obey, all of it is free within one.
STOP_EVERY_S = 0.2

_log = logging.getLogger("tightship")


@dataclass(eq=False)
class _Engagement:
    """A claim that this process works on; of one job there may be two, while the older one is being given up.

    Args:
        lost: The lease was lost: nothing is brought back.
        news: What the work has to tell.
        began_s: When the work began.
        ended: The job as the end of this work left it.
    """

    claim: Claim
    news: News
    cancel: threading.Event = field(default_factory=threading.Event)
    lost: bool = False
    began_s: float = field(default_factory=time.monotonic)
    ended: JobRecord | None = None


class Dispatcher:
    """Work through the store's line until closed.

    Args:
        store: Where jobs wait.
        runner: Runs them in slots; its pool should have one slot more than the store lets run, for looking at inputs.
        budget: What all slots together may hold; jobs are admitted up to its soft line.
        results: Folder for results on their way into the store, on its file system.
    """

    def __init__(self, store: Store, runner: Runner, budget: Budget, results: Path) -> None:
        self._store = store
        self._runner = runner
        self._budget = budget
        self._results = results
        self._room = Room(runner, budget, store.config.probe_reservation_bytes)
        self._changed = threading.Condition()
        self._engaged: set[_Engagement] = set()
        self._ends = Notices[JobRecord]()
        self._handing_back = False
        self._closed = False
        self._owner = store.owners.new()
        self._presence = ExitStack()
        # One bell for each kind of work: a job that comes or ends wakes a thread or two, not all to ask the same.
        self._runs, self._looks, self._keeping = Bell(), Bell(), Bell()
        self._keep_at_s = 0.0
        keep_s = min(STOP_EVERY_S, store.config.lease_s / 3)
        work = [self._loop(f"run-{number}", self._run_next, self._runs) for number in range(store.config.max_running)]
        probe = self._loop("probe", self._probe_next, self._looks)
        self._threads = [*work, probe, self._loop("keep", self._keep, self._keeping, keep_s)]

    def start(self) -> None:
        """Begin to work, knowing what the jobs before have needed."""
        self._presence.enter_context(self._store.owners.present(self._owner))
        for job in reversed(self._store.newest(Status.SUCCEEDED, LEARN_FROM_LAST)):
            if job.receipt is not None:
                self._room.learn(job, job.receipt)
        for thread in self._threads:
            thread.start()

    def ring(self, job: JobRecord | None = None) -> None:
        """Say that there is work, so that it is begun at once.

        Args:
            job: The work, which wakes only the kind of thread that does what it needs next; None wakes one of each.
        """
        if job is None or job.reservation_bytes is not None:
            self._runs.ring()
        if job is None or job.reservation_bytes is None:
            self._looks.ring()

    def wait(self, job_id: str, timeout_s: float | None = None) -> JobRecord:
        """Wait until a job has ended, in this process or another, and return it.

        Returns:
            The job, which has not ended if `timeout_s` have passed or the dispatcher was closed meanwhile.

        Raises:
            JobNotFound: There is no such job, or no longer.
        """
        give_up_at_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        with self._ends.expecting(job_id) as news:
            job = news.wait(SOON_S if timeout_s is None else min(SOON_S, timeout_s)) or self._store.get(job_id)
            while not job.status.final and not self._closed and (left_s := give_up_at_s - time.monotonic()) > 0:
                # Of what ends in another process nobody tells.
                job = news.wait(min(left_s, IDLE_S)) or self._store.get(job_id)
            return job

    def cancel(self, job_id: str) -> None:
        """Stop an attempt that runs in this process, now; the store has been told before."""
        with self._changed:
            engaged = [engagement for engagement in self._engaged if engagement.claim.job.id == job_id]
        for engagement in engaged:
            engagement.cancel.set()
        self._ends.post(job_id, None)  # one that had not begun has ended by now

    def close(self, grace_s: float) -> None:
        """Take on nothing more, give what runs `grace_s` to end, then hand it back; a second call does nothing."""
        with self._changed:
            self._runs.stop()
            self._looks.stop()
            self._changed.wait_for(lambda: not self._engaged, timeout=grace_s)
            self._handing_back = True
            for engagement in self._engaged:
                engagement.cancel.set()
        *workers, keeper = self._threads
        _join(workers)
        self._keeping.stop()  # only now: whoever gets time to end needs the lease for as long
        _join([keeper])
        self._presence.close()
        self._closed = True
        self._ends.wake()

    # --- the threads -----------------------------------------------------------------------------

    def _loop(self, name: str, turn: Callable[[], bool], bell: Bell, pause_s: float = IDLE_S) -> threading.Thread:
        def work() -> None:
            while not bell.stopped:
                try:
                    busy = turn()
                except SchemaTooNew as newer:
                    self._give_way(newer)
                    return
                except TightshipError as fault:  # the store is busy, the disk full, no worker starts: later, then
                    _log.warning("%s: %s", name, fault.public_message)
                    busy = False
                except Exception:  # noqa: BLE001 - it is logged, and one failed turn must not end the service
                    _log.exception("%s: a turn failed", name)
                    busy = False
                if not busy:
                    bell.wait(pause_s)

        return threading.Thread(target=work, name=f"tightship-{name}", daemon=True)

    def _run_next(self) -> bool:
        claim = self._store.claim(self._owner, self._budget.soft_bytes)
        if claim is None:
            self._room.keep()
            return False
        if claim.more:
            self._runs.ring()
        with self._engagement(claim) as engagement:
            self._room.make(claim.job, claim.beside_bytes)
            self._run(engagement)
            # Asked while it still counts: of two that end at once, each would take the other for gone already.
            if not self._room.is_left_to_look(self._at_work()):
                self._looks.ring()  # there is room in memory again
        return True

    def _probe_next(self) -> bool:
        claim = self._store.claim_probe(self._owner, self._budget.soft_bytes)
        if claim is None:
            return False
        with self._engagement(claim) as engagement, suppress(StaleClaim):
            self._probe(engagement)
        self._runs.ring()
        return True

    def _keep(self) -> bool:
        with self._changed:
            engaged = list(self._engaged)
        due = time.monotonic() >= self._keep_at_s
        wanted = self._store.wanted(self._owner) if engaged and not due else set()
        for engagement in engaged:
            if engagement.claim.job.id not in wanted:
                self._heed(engagement, self._store.renew(engagement.claim))
        try:
            if self._store.take_over():
                self.ring()
        finally:  # to take a job over takes room on the disk, which may be full until it is swept
            if due:
                self._sweep()
        return False

    def _sweep(self) -> None:
        self._keep_at_s = time.monotonic() + min(KEEP_EVERY_S, self._store.config.lease_s / 3)
        if self._store.sweep().requeued:
            self.ring()
        if self._runner.recall is not None:
            self._runner.recall.expire()

    def _give_way(self, newer: SchemaTooNew) -> None:
        """End all work, for good: what is not done is done by the newer version when the leases have run out."""
        with self._changed:
            if not self._keeping.stopped:
                _log.error("no job is worked on any more: %s", newer.public_message)
            for bell in (self._runs, self._looks, self._keeping):
                bell.stop()
            for engagement in self._engaged:
                engagement.lost = True
                engagement.cancel.set()

    # --- one job ---------------------------------------------------------------------------------

    def _probe(self, engagement: _Engagement) -> None:
        claim = engagement.claim
        job = claim.job
        try:
            if job.source_digest is None:
                raise ConversionFailed("the job has no input")
            if self._recall(engagement, Content(job.source_digest)):
                return
            outcome = self._runner.probe(self._store.blobs.path(job.source_digest), engagement.cancel)
            media = outcome.unwrap()
            if (done := self._runner.answer(job.operation, outcome)) is not None:
                engagement.ended = self._store.answer(claim, media, done.receipt or outcome.receipt, done.warnings)
                return
            reserved_bytes = self._room.reservation_bytes(job, media)
        except TightshipError as error:
            if self._handing_back and isinstance(error, Cancelled):
                self._store.hand_back(claim)
            else:
                engagement.ended = self._store.refuse(claim, error)
            return
        self._store.probed(claim, media, reserved_bytes)

    def _recall(self, engagement: _Engagement, content: Content) -> bool:
        """End a job whose result is remembered: it takes no look, no slot and no memory."""
        claim, job = engagement.claim, engagement.claim.job
        output = self._results / f"{job.id}-{claim.fence}"
        try:
            done = self._runner.known(job.operation, job.options, content, output, engagement.cancel)
            if done is None:
                return False
            receipt = Receipt(job.operation, "attempt", "ok", None, time.monotonic() - engagement.began_s)
            result = {name: value for name, value in (done.result or {}).items() if name != "output"}
            with self._store.blobs.put_file(output) as blob:
                engagement.ended = self._store.answer(claim, result, receipt, done.warnings, blob)
            return True
        finally:
            output.unlink(missing_ok=True)

    def _run(self, engagement: _Engagement) -> None:
        claim, job = engagement.claim, engagement.claim.job
        output = self._results / f"{job.id}-{claim.fence}"
        media = job.media or {}
        try:
            has_file = self._runner.suffix(job.operation, job.options, media) is not None
            done = self._runner.work(
                job.operation,
                None if job.source_digest is None else self._store.blobs.path(job.source_digest),
                output if has_file else None,
                job.options,
                media,
                None if job.source_digest is None else Content(job.source_digest),
                on_event=lambda event: self._heed(engagement, engagement.news.tell(event)),
                cancel=engagement.cancel,
            )
            with suppress(StaleClaim):  # another has the job by now, and its result counts
                self._bring_back(engagement, done, output)
        finally:
            output.unlink(missing_ok=True)

    def _bring_back(self, engagement: _Engagement, done: Job, output: Path) -> None:
        claim = engagement.claim
        receipt = done.receipt or Receipt(
            done.operation, "attempt", "failed" if done.error else "ok", done.error.code if done.error else None, 0.0
        )
        if engagement.lost:
            return
        if done.error is not None:
            self._give_up(engagement, done.error, receipt)
            return
        self._room.learn(claim.job, receipt)
        engagement.news.tell_rest()
        result = {name: value for name, value in (done.result or {}).items() if name != "output"}
        finish = partial(self._store.finish, claim, result, receipt, warnings=done.warnings)
        try:
            if output.exists():
                with self._store.blobs.put_file(output) as blob:
                    engagement.ended = self._brought(partial(finish, result_blob=blob))
            else:
                engagement.ended = self._brought(finish)
        except StaleClaim:
            raise
        except TightshipError as error:
            self._give_up(engagement, error, receipt)

    def _give_up(self, engagement: _Engagement, error: TightshipError, receipt: Receipt) -> None:
        claim = engagement.claim
        # The service stops: neither is the job's fault then.
        if self._handing_back and isinstance(error, (Cancelled, StoreBusy)):
            self._store.hand_back(claim)
        else:
            engagement.ended = self._brought(partial(self._store.fail, claim, error, receipt))

    def _brought(self, write: Callable[[], JobRecord]) -> JobRecord:
        """Write what came of work, again while the store is busy: the lease, which is renewed meanwhile, ends it."""
        while True:
            try:
                return write()
            except StoreBusy as fault:
                if self._handing_back:
                    raise
                _log.warning("what came of a job is still to be written: %s", fault.public_message)
                time.sleep(STOP_EVERY_S)

    def _heed(self, engagement: _Engagement, renewal: Renewal) -> None:
        if renewal is not Renewal.KEPT:
            engagement.lost = renewal is Renewal.LOST
            engagement.cancel.set()

    def _at_work(self) -> list[JobRecord]:
        """Return the jobs that this process works on."""
        with self._changed:
            return [engagement.claim.job for engagement in self._engaged]

    @contextmanager
    def _engagement(self, claim: Claim) -> Iterator[_Engagement]:
        """Keep a claim where renewals, cancels and the end of the service find it."""
        engagement = _Engagement(claim, News(self._store, claim))
        with self._changed:
            self._engaged.add(engagement)
            if self._handing_back:  # it was claimed just when all that runs was told to stop
                engagement.cancel.set()
        try:
            yield engagement
        finally:
            with self._changed:
                self._engaged.discard(engagement)
                self._changed.notify_all()
            self._ends.post(claim.job.id, engagement.ended)


def _join(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        if thread.is_alive():
            thread.join()
