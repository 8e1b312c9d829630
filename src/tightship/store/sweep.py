"""What time undoes: leases that ran out, files and rows that have been kept long enough."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update

from tightship.core.receipt import Receipt
from tightship.errors import WorkerDied
from tightship.store.control import delete as delete_job
from tightship.store.ending import cancelled, close_attempt
from tightship.store.schema import events, jobs, seats
from tightship.store.statement import Row
from tightship.store.states import Status
from tightship.store.transaction import Transaction
from tightship.store.transition import end, remove, wait_again

#: Rows changed in one transaction: others want to write too.
BATCH = 100
#: Jobs that may have a holder: those that are looked at are pending.
_WORKED_ON = (Status.RUNNING, Status.PENDING)


@dataclass(frozen=True)
class SweepReport:
    """What a sweep did.

    Args:
        requeued: Jobs whose holder was gone, and which wait again.
        quarantined: Jobs whose holder was gone at their last attempt.
        cancelled: Jobs whose holder was gone after they were to be cancelled.
        seats: Uploads that had stopped coming.
        abandoned: Jobs for which nobody waits any more.
        expired: Jobs whose files have been kept long enough.
        rows: Jobs that have been kept long enough.
        blobs: Files that nobody referred to.
        uploads: Half-written files whose writers were gone.
    """

    requeued: int = 0
    quarantined: int = 0
    cancelled: int = 0
    seats: int = 0
    abandoned: int = 0
    expired: int = 0
    rows: int = 0
    blobs: int = 0
    uploads: int = 0


def expire_leases(tx: Transaction) -> list[Status]:
    """Take the jobs of holders that are gone from them, and write the receipts they could not.

    Returns:
        What each of them is now.
    """
    lost = select(jobs).where(jobs.c.status.in_(_WORKED_ON), jobs.c.lease_expires_s <= tx.now_s).limit(BATCH)
    return [_take(tx, row) for row in tx.connection.execute(lost).all()]


def take_over(tx: Transaction, owner: str) -> list[Status]:
    """Take the jobs of an owner that has died from it, as `expire_leases` does later."""
    lost = select(jobs).where(jobs.c.status.in_(_WORKED_ON), jobs.c.owner == owner)
    return [_take(tx, row) for row in tx.connection.execute(lost).all()]


def _take(tx: Transaction, row: Row) -> Status:
    error = WorkerDied("the process that worked on the job has ended", attempts=row.attempts)
    if row.status == Status.PENDING:
        if row.probes >= row.max_attempts:
            return end(tx, row, Status.QUARANTINED, error).status
        return wait_again(tx, row, 0.0).status
    receipt = Receipt(row.operation, "attempt", "killed", "parent gone", wall_s=max(0.0, tx.now_s - row.started_s))
    told = close_attempt(tx, row, receipt)
    if row.cancel_requested:
        return end(tx, row, Status.CANCELLED, cancelled(), receipt=told).status
    if row.attempts >= row.max_attempts:
        return end(tx, row, Status.QUARANTINED, error, receipt=told).status
    # At once: the job has done nothing wrong.
    return wait_again(tx, row, 0.0, receipt=told).status


def expire_seats(tx: Transaction) -> int:
    """Give up the seats of uploads that have stopped coming; return how many."""
    return tx.connection.execute(delete(seats).where(seats.c.lease_expires_s <= tx.now_s)).rowcount


def abandon(tx: Transaction) -> int:
    """Remove the jobs of those who waited for them and are gone, and stop those that run; return how many."""
    left = select(jobs.c.id).where(jobs.c.attended_until_s <= tx.now_s, jobs.c.removal_requested.is_(False))
    ids = tx.connection.execute(left.limit(BATCH)).scalars().all()
    for job_id in ids:
        delete_job(tx, job_id)
    return len(ids)


def expire_files(tx: Transaction) -> int:
    """Let go of files and events of jobs that ended long enough ago; return of how many."""
    old = select(jobs.c.id, jobs.c.source_digest, jobs.c.result_digest).where(
        jobs.c.emptied.is_(False), jobs.c.finished_s <= tx.now_s - tx.config.result_ttl_s
    )
    rows = tx.connection.execute(old.limit(BATCH)).all()
    ids = [row.id for row in rows]
    for row in rows:
        tx.drop(row.source_digest, row.result_digest)
    emptied = {"source_digest": None, "result_digest": None, "emptied": True}
    tx.connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(**emptied))
    tx.connection.execute(delete(events).where(events.c.job_id.in_(ids)))
    return len(ids)


def expire_rows(tx: Transaction) -> int:
    """Remove jobs that ended long enough ago, or are more than are kept; return how many."""
    # Exactly the final ones have a time at which they ended, and there is an index on it.
    ended = jobs.c.finished_s.is_not(None)
    newest = select(jobs.c.finished_s).where(ended).order_by(jobs.c.finished_s.desc())
    beyond = tx.connection.execute(newest.offset(tx.config.max_rows).limit(1)).scalar_one_or_none()
    # Jobs that ended in the same instant as the first beyond the limit go with it.
    limit_s = max(tx.now_s - tx.config.row_ttl_s, -1.0 if beyond is None else beyond)
    old = select(jobs.c.id).where(ended, jobs.c.finished_s <= limit_s).limit(BATCH)
    ids = tx.connection.execute(old).scalars().all()
    for job_id in ids:
        remove(tx, job_id)
    return len(ids)
