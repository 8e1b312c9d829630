"""What every store promises about a job's way from the door to its end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tightship.errors import (
    Cancelled,
    CorruptMedia,
    ExceedsBudget,
    InvalidTransition,
    JobNotFound,
    MemoryExceeded,
    OutputTooLarge,
    QueueFull,
    StaleClaim,
    WorkerDied,
)
from tightship.store.claims import Load
from tightship.store.record import Renewal
from tightship.store.states import FINAL, Status
from tightship.store.store import Store

from .conftest import Shop
from .jobs import BROKEN, BUDGET_BYTES, OK, claimed, died, probed, statuses, submit, upload

DIED = WorkerDied("it died")


def test_job_goes_from_the_door_to_its_end(store: Store) -> None:
    """Upload, probe, claim, finish: the record tells it all, and those who watch were told."""
    job = upload(store, b"a video", source_name="../my video.mp4")
    probed(store)
    claim = claimed(store)

    store.finish(claim, {"frames": 3}, OK, warnings=[{"code": "short", "message": "it is short"}])

    ended = store.get(job.id)
    assert (ended.status, ended.attempts, ended.result, ended.receipt) == (Status.SUCCEEDED, 1, {"frames": 3}, OK)
    assert (ended.operation, ended.options, ended.source_name) == ("gif", {"width": 320}, "../my video.mp4")
    assert (ended.media, ended.warnings[0]["code"]) == ({"duration_s": 3.0}, "short")
    assert ended.created_s <= (ended.started_s or 0) <= (ended.finished_s or 0)
    assert statuses(store, job) == ["pending", "running", "succeeded"]
    assert [(each.outcome, each.receipt) for each in store.attempts_of(job.id)] == [("ok", OK)]


def test_jobs_are_claimed_in_order(store: Store) -> None:
    """First come, first served."""
    sent = [submit(store).id for _ in range(3)]

    served = []
    for _ in sent:
        claim = claimed(store)
        served.append(claim.job.id)
        store.finish(claim, {}, OK)

    assert served == sent


def test_no_more_than_the_limit_run(store: Store) -> None:
    """Two run at a time, however many processes ask."""
    for _ in range(3):
        submit(store)
    claimed(store, "one")
    claimed(store, "two")

    assert store.claim("three", BUDGET_BYTES) is None


def test_what_runs_stays_within_the_budget(store: Store) -> None:
    """A job waits while its reservation does not fit beside what runs."""
    submit(store, 600)
    large = submit(store, 500)
    first = claimed(store)

    assert store.claim("two", BUDGET_BYTES) is None
    store.finish(first, {}, OK)
    assert claimed(store).job.id == large.id


def test_load_tells_what_is_reserved(shop: Shop) -> None:
    """What runs by its reservation, a look at an input by the fixed one, what waits not at all."""
    store = shop.open(probe_reservation_bytes=50)
    upload(store)
    submit(store, 600)
    submit(store, 100)
    claimed(store)
    store.claim_probe("one", BUDGET_BYTES)

    assert store.load() == Load(running=1, probing=1, committed_bytes=650)


def test_small_jobs_pass_a_large_one_a_bounded_number_of_times(shop: Shop) -> None:
    """While the oldest does not fit, others go ahead; then all wait for it."""
    store = shop.open(max_passes=2)
    submit(store, 600)
    running = claimed(store)
    large = submit(store, 900)
    small = [submit(store, 100) for _ in range(3)]

    for expected in small[:2]:
        claim = claimed(store)
        assert claim.job.id == expected.id
        store.finish(claim, {}, OK)

    assert store.claim("one", BUDGET_BYTES) is None
    store.finish(running, {}, OK)
    assert claimed(store).job.id == large.id


def test_job_that_can_never_fit_is_refused(store: Store) -> None:
    """It fails as such, and does not stand in the way."""
    huge = submit(store, BUDGET_BYTES + 1)
    small = submit(store, 1)

    assert claimed(store).job.id == small.id
    assert isinstance(store.get(huge.id).error, ExceedsBudget)
    assert store.get(huge.id).status is Status.FAILED


def test_job_is_not_claimed_before_its_input_was_looked_at(store: Store) -> None:
    """Its reservation is not known before."""
    upload(store)
    assert store.claim("one", BUDGET_BYTES) is None

    probed(store)

    assert claimed(store).job.attempts == 1


def test_look_at_an_input_counts_against_the_budget(shop: Shop) -> None:
    """While it lasts, its fixed reservation is taken."""
    store = shop.open(probe_reservation_bytes=950)
    upload(store)
    submit(store, 100)
    assert store.claim_probe("one", 900) is None
    probe = store.claim_probe("one", BUDGET_BYTES)
    assert probe is not None
    assert store.claim("two", BUDGET_BYTES) is None

    store.probed(probe, {}, 100)

    assert store.claim("two", BUDGET_BYTES) is not None


def test_look_can_be_the_whole_job(store: Store) -> None:
    """It counts as the one attempt, with its own receipt; those who watch see the same way as of any other job."""
    job = upload(store, b"a video")
    look = store.claim_probe("one", 2**40)
    assert look is not None

    store.answer(look, {"duration_s": 3.0}, OK, [{"code": "input", "message": "it is short"}])

    ended = store.get(job.id)
    assert (ended.status, ended.attempts, ended.result, ended.receipt) == (
        Status.SUCCEEDED, 1, {"duration_s": 3.0}, OK
    )  # fmt: skip
    assert ended.finished_s == pytest.approx((ended.started_s or 0) + OK.wall_s)
    assert (ended.warnings[0]["code"], ended.source_digest) == ("input", None)
    assert statuses(store, job) == ["pending", "running", "succeeded"]
    assert [(each.number, each.outcome, each.receipt) for each in store.attempts_of(job.id)] == [(1, "ok", OK)]
    assert list(store.blobs.digests()) == []


def test_look_that_is_stale_answers_nothing(store: Store) -> None:
    """The job was cancelled while its input was looked at."""
    job = upload(store)
    look = store.claim_probe("one", 2**40)
    assert look is not None
    store.cancel(job.id)

    with pytest.raises(StaleClaim):
        store.answer(look, {}, OK)

    assert (store.get(job.id).status, store.get(job.id).attempts) == (Status.CANCELLED, 0)


def test_claim_tells_whether_more_wait(store: Store) -> None:
    """So that whoever has claimed wakes another only when there is something to do."""
    submit(store)
    submit(store)

    assert [claimed(store).more, claimed(store).more] == [True, False]


def test_input_that_is_refused_fails_the_job(store: Store) -> None:
    """What no retry can cure is final, without an attempt."""
    job = upload(store)
    probe = store.claim_probe("one", 2**40)
    assert probe is not None

    store.refuse(probe, CorruptMedia("it is broken"))

    found = store.get(job.id)
    assert (found.status, found.attempts) == (Status.FAILED, 0)
    assert isinstance(found.error, CorruptMedia)


def test_input_that_kills_whoever_looks_is_quarantined(shop: Shop) -> None:
    """Looking costs no attempt, but is not repeated without end."""
    store = shop.open(max_attempts=2)
    job = upload(store)
    for _ in range(2):
        assert store.claim_probe("one", 2**40) is not None
        shop.wait(31)
        store.sweep()

    assert store.get(job.id).status is Status.QUARANTINED
    assert store.claim_probe("one", 2**40) is None


def test_handing_back_a_look_refunds_it(shop: Shop) -> None:
    """A shutdown does not use up the tries of the look."""
    store = shop.open(max_attempts=1)
    upload(store)
    probe = store.claim_probe("one", 2**40)
    assert probe is not None

    store.hand_back(probe)

    assert store.claim_probe("two", 2**40) is not None


def test_lease_is_kept_by_renewing(shop: Shop, store: Store) -> None:
    """Whoever renews in time keeps the job, and tells its progress."""
    job = submit(store)
    claim = claimed(store)
    for done in range(3):
        shop.wait(20)
        assert store.renew(claim, {"done": done}) is Renewal.KEPT
        assert store.sweep().requeued == 0

    assert store.get(job.id).progress == {"done": 2}
    assert [event.data for event in store.events_since(job.id) if event.kind == "progress"] == [{"done": 2}]


def test_lost_lease_is_requeued_at_once_with_a_receipt(shop: Shop, store: Store) -> None:
    """No back-off: the job has done nothing wrong; the sweeper writes the receipt that its holder could not."""
    job = submit(store)
    claimed(store)
    shop.wait(31)

    assert store.sweep().requeued == 1

    again = claimed(store, "two")
    assert (again.job.id, again.job.attempts) == (job.id, 2)
    receipt = store.attempts_of(job.id)[0].receipt
    assert receipt is not None
    assert (receipt.outcome, receipt.cause, receipt.peak_bytes) == ("killed", "parent gone", None)
    assert receipt.wall_s >= 31


def test_job_of_one_who_died_here_is_taken_over_at_once(store: Store) -> None:
    """No lease is waited for, and no back-off; the attempt counts, and its receipt is written."""
    dead, living = store.owners.new(), store.owners.new()
    job, other = submit(store), submit(store)
    lost = claimed(store, dead)
    died(store, dead)
    with store.owners.present(living):
        kept = claimed(store, living)

        assert store.take_over() == 1

        again = claimed(store, "two")
        assert (again.job.id, again.job.attempts) == (job.id, 2)
        assert [each.cause for each in store.attempts_of(job.id)] == ["parent gone", None]
        assert (store.take_over(), store.get(other.id).owner) == (0, living)
        with pytest.raises(StaleClaim):
            store.finish(lost, {"by": "the dead"}, OK)
        assert store.renew(kept) is Renewal.KEPT


def test_look_of_one_who_died_here_is_taken_over_at_once(store: Store) -> None:
    """It costs no attempt, but its tries are counted."""
    job = upload(store)
    dead = store.owners.new()
    assert store.claim_probe(dead, 2**40) is not None
    died(store, dead)

    assert store.take_over() == 1

    assert store.claim_probe("two", 2**40) is not None
    assert (store.get(job.id).attempts, store.attempts_of(job.id)) == (0, [])


def test_job_of_one_who_may_live_elsewhere_keeps_its_lease(store: Store) -> None:
    """An owner of whom nothing is known here waits out its lease: on another machine, or before this one's start."""
    submit(store)
    elsewhere = "another-kernel." + store.owners.new().partition(".")[2]
    claim = claimed(store, elsewhere)
    died(store, elsewhere)

    assert store.take_over() == 0
    assert store.renew(claim) is Renewal.KEPT


def test_job_whose_holder_died_at_the_last_attempt_is_quarantined(store: Store) -> None:
    """A job that takes its server down with it is not tried for ever."""
    job = submit(store)
    for _ in range(3):
        dead = store.owners.new()
        claimed(store, dead)
        died(store, dead)
        store.take_over()

    assert (store.get(job.id).status, store.get(job.id).attempts) == (Status.QUARANTINED, 3)


def test_job_that_kills_is_quarantined_after_its_attempts(shop: Shop, store: Store) -> None:
    """After exactly `max_attempts` lost leases it is not tried any more, and says why."""
    job = submit(store)
    for _ in range(3):
        claimed(store)
        shop.wait(31)
        report = store.sweep()

    found = store.get(job.id)
    assert report.quarantined == 1
    assert (found.status, found.attempts) == (Status.QUARANTINED, 3)
    assert found.error is not None
    assert found.error.code == "worker_died"
    assert len(store.attempts_of(job.id)) == 3


def test_stale_claim_writes_nothing(shop: Shop, store: Store) -> None:
    """Who lost the lease can neither finish, fail, renew nor hand back; the new holder's result counts."""
    job = submit(store)
    lost = claimed(store, "one")
    shop.wait(31)
    store.sweep()
    held = claimed(store, "one")

    assert store.renew(lost) is Renewal.LOST
    for write in (
        lambda: store.finish(lost, {"by": "lost"}, OK),
        lambda: store.fail(lost, DIED, BROKEN),
        lambda: store.hand_back(lost),
        lambda: store.append_partial(lost, {}),
    ):
        with pytest.raises(StaleClaim):
            write()
    assert store.finish(held, {"by": "held"}, OK).result == {"by": "held"}
    with pytest.raises(StaleClaim):
        store.finish(held, {"by": "held again"}, OK)
    assert store.get(job.id).result == {"by": "held"}


def test_fence_of_another_owner_is_not_enough(store: Store) -> None:
    """A claim is good for its owner alone."""
    submit(store)
    claim = claimed(store, "one")

    with pytest.raises(StaleClaim):
        store.finish(replace(claim, owner="two"), {}, OK)


def test_retryable_error_waits(shop: Shop, store: Store) -> None:
    """It is claimed again after its back-off, not before."""
    submit(store)
    waiting = store.fail(claimed(store), MemoryExceeded("too much"), BROKEN, jitter=0.8)

    assert waiting.status is Status.PENDING
    assert store.claim("one", BUDGET_BYTES) is None
    shop.wait(4.1)
    assert claimed(store).job.attempts == 2


def test_retryable_errors_use_up_the_attempts(store: Store) -> None:
    """The last one's code is the job's."""
    submit(store, max_attempts=2)
    store.fail(claimed(store), DIED, BROKEN, jitter=0.0)

    last = store.fail(claimed(store), MemoryExceeded("too much"), BROKEN, jitter=0.0)

    assert last.status is Status.QUARANTINED
    assert last.error is not None
    assert last.error.code == "memory_exceeded"


def test_error_no_retry_can_cure_is_final(store: Store) -> None:
    """One attempt is enough."""
    submit(store)

    failed = store.fail(claimed(store), CorruptMedia("it is broken"), BROKEN)

    assert (failed.status, failed.attempts, failed.receipt) == (Status.FAILED, 1, BROKEN)


def test_handing_back_refunds_the_attempt(store: Store) -> None:
    """A shutdown costs the job nothing."""
    job = submit(store, max_attempts=1)

    store.hand_back(claimed(store))

    assert (store.get(job.id).attempts, store.attempts_of(job.id)) == (0, [])
    assert claimed(store).job.attempts == 1


def test_job_that_waits_is_cancelled_at_once(store: Store) -> None:
    """Whoever was looking at its input learns that it is not theirs any more."""
    job = upload(store)
    probe = store.claim_probe("one", 2**40)
    assert probe is not None

    assert store.cancel(job.id).status is Status.CANCELLED

    assert store.renew(probe) is Renewal.LOST
    with pytest.raises(StaleClaim):
        store.probed(probe, {}, 1)


def test_job_that_runs_is_asked_to_stop(store: Store) -> None:
    """Whoever works on it is told at the next renewal; how it ends then is `cancelled`."""
    job = submit(store)
    claim = claimed(store)

    assert store.cancel(job.id).status is Status.RUNNING
    assert store.renew(claim) is Renewal.CANCEL
    assert store.fail(claim, Cancelled("stopped"), BROKEN).status is Status.CANCELLED


@pytest.mark.parametrize("ending", ["lost", "handed back", "retryable"])
def test_job_that_was_to_be_cancelled_is_not_tried_again(shop: Shop, store: Store, ending: str) -> None:
    """However its attempt ends short of success, that was the last."""
    job = submit(store)
    claim = claimed(store)
    store.cancel(job.id)

    if ending == "lost":
        shop.wait(31)
        store.sweep()
    elif ending == "handed back":
        store.hand_back(claim)
    else:
        store.fail(claim, DIED, BROKEN)

    assert store.get(job.id).status is Status.CANCELLED


def test_job_that_ended_cannot_be_cancelled(store: Store) -> None:
    """What has ended has ended."""
    job = submit(store)
    store.finish(claimed(store), {}, OK)

    with pytest.raises(InvalidTransition):
        store.cancel(job.id)


def test_retry_starts_anew_at_the_end_of_the_line(store: Store) -> None:
    """The attempts count from zero, and others are not held up."""
    job = submit(store, max_attempts=1)
    store.fail(claimed(store), DIED, BROKEN)
    other = submit(store)

    again = store.retry(job.id)

    assert (again.status, again.attempts, again.error, again.finished_s) == (Status.PENDING, 0, None, None)
    assert [claimed(store).job.id, claimed(store, "two").job.id] == [other.id, job.id]


def test_retry_is_for_those_that_did_not_succeed(store: Store) -> None:
    """Neither a job that waits nor one that has succeeded is tried anew."""
    job = submit(store)
    with pytest.raises(InvalidTransition):
        store.retry(job.id)
    store.finish(claimed(store), {}, OK)
    with pytest.raises(InvalidTransition):
        store.retry(job.id)


def test_retry_needs_a_place_in_line(shop: Shop) -> None:
    """A full queue is full for old jobs too."""
    store = shop.open(max_pending=1)
    job = submit(store)
    store.cancel(job.id)
    submit(store)

    with pytest.raises(QueueFull):
        store.retry(job.id)


def test_job_that_is_removed_is_gone(store: Store) -> None:
    """With its events and attempts."""
    job = submit(store)

    assert store.delete(job.id)

    for ask in (store.get, store.cancel, store.retry, store.delete):
        with pytest.raises(JobNotFound):
            ask(job.id)
    assert store.events_since(job.id) == []


def test_job_that_runs_is_removed_when_it_has_stopped(store: Store) -> None:
    """Until then it is there, and asked to stop."""
    job = submit(store)
    claim = claimed(store)

    assert not store.delete(job.id)
    assert store.renew(claim) is Renewal.CANCEL
    store.fail(claim, Cancelled("stopped"), BROKEN)

    with pytest.raises(JobNotFound):
        store.get(job.id)


def test_pages_of_jobs(store: Store) -> None:
    """The newest first, each once, and by status."""
    sent = [submit(store).id for _ in range(5)]
    store.cancel(sent[1])

    first = store.newest(limit=3)
    second = store.newest(limit=3, after=first[-1].id)

    assert sorted(job.id for job in first + second) == sorted(sent)
    assert [job.id for job in store.newest(Status.CANCELLED)] == [sent[1]]
    assert store.counts() == {**dict.fromkeys(FINAL | {Status.RUNNING}, 0), Status.PENDING: 4, Status.CANCELLED: 1}


def test_events_are_resumed_after_the_last_seen(store: Store) -> None:
    """Ids grow, and those who come back get what they have missed."""
    job = submit(store)
    seen = store.events_since(job.id)
    claim = claimed(store)
    store.append_partial(claim, {"text": "so far"})

    missed = store.events_since(job.id, seen[-1].id)

    assert [event.kind for event in missed] == ["status", "partial"]
    assert missed[-1].data == {"text": "so far"}


def test_events_of_a_job_are_bounded(shop: Shop) -> None:
    """However much a job has to tell, the newest stay."""
    store = shop.open(max_events=5)
    job = submit(store)
    claim = claimed(store)
    for number in range(20):
        store.append_partial(claim, {"number": number})

    assert [event.data["number"] for event in store.events_since(job.id)] == [15, 16, 17, 18, 19]


def test_attempts_of_a_job_are_bounded(shop: Shop) -> None:
    """However often a job is tried, the newest receipts stay."""
    store = shop.open(max_attempt_rows=3)
    job = submit(store, max_attempts=10)
    for _ in range(6):
        store.fail(claimed(store), DIED, BROKEN, jitter=0.0)

    assert [attempt.number for attempt in store.attempts_of(job.id)] == [4, 5, 6]


def test_result_that_is_too_long_is_refused(store: Store) -> None:
    """The claim stays good, so that the attempt can be failed."""
    submit(store)
    claim = claimed(store)

    with pytest.raises(OutputTooLarge):
        store.finish(claim, {"text": "x" * 2**20}, OK)

    assert store.fail(claim, OutputTooLarge("too long"), BROKEN).status is Status.FAILED


def test_threads_share_a_store(shop: Shop) -> None:
    """Many at once take turns; every job is done once."""
    store = shop.open(max_pending=100, max_running=100)

    def send_and_work(number: int) -> list[str]:
        done = []
        for _ in range(5):
            submit(store, 1)
            claim = claimed(store, f"thread {number}")
            store.renew(claim, {"done": 1})
            done.append(store.finish(claim, {}, OK).id)
        return done

    with ThreadPoolExecutor(16) as threads:
        done = [job_id for part in threads.map(send_and_work, range(16)) for job_id in part]

    assert sorted(done) == sorted(job.id for job in store.newest(Status.SUCCEEDED, limit=100))
    assert len(set(done)) == 80


def test_receipts_of_jobs_that_went_well(store: Store) -> None:
    """Reservations are learnt from them, the newest first."""
    for peak_bytes in (1, 2):
        submit(store)
        store.finish(claimed(store), {}, replace(OK, peak_bytes=peak_bytes))
    submit(store)
    store.fail(claimed(store), DIED, BROKEN)

    assert [job.receipt and job.receipt.peak_bytes for job in store.newest(Status.SUCCEEDED)] == [2, 1]
