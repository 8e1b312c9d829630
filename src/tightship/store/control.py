"""What people ask of a job: cancel it, try it anew, remove it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from tightship.errors import InvalidTransition, JobNotFound
from tightship.store.ending import cancelled
from tightship.store.intake import place_in_line
from tightship.store.record import JobRecord
from tightship.store.schema import jobs
from tightship.store.statement import Row
from tightship.store.states import RETRIABLE, Status
from tightship.store.transaction import Transaction
from tightship.store.transition import end, remove, wait_again


def cancel(tx: Transaction, job_id: str) -> JobRecord:
    """Cancel a job that waits; ask the one who works on it to stop when it runs.

    Raises:
        JobNotFound: There is no such job.
        InvalidTransition: It has ended.
    """
    row = _row(tx, job_id)
    if Status(row.status).final:
        raise InvalidTransition(f"the job has ended: it is {row.status}", status=row.status)
    if row.status == Status.PENDING:
        return end(tx, row, Status.CANCELLED, cancelled())
    return _ask_to_stop(tx, row)


def retry(tx: Transaction, job_id: str) -> JobRecord:
    """Put a job that did not succeed at the end of the line; its attempts start anew.

    Raises:
        JobNotFound: There is no such job.
        InvalidTransition: It has not ended, or has succeeded, or its input is no longer kept.
        QueueFull: As many wait as may wait.
    """
    row = _row(tx, job_id)
    if Status(row.status) not in RETRIABLE:
        raise InvalidTransition(
            f"only a job that has ended without success is tried anew; it is {row.status}", status=row.status
        )
    if row.source_bytes is not None and row.source_digest is None:
        raise InvalidTransition("the job's input is no longer kept; send it again", status=row.status)
    anew: dict[str, Any] = {"attempts": 0, "probes": 0, "passes": 0, "emptied": False, "position": place_in_line(tx)}
    emptied = dict.fromkeys(("started_s", "finished_s", "error", "receipt", "progress"))
    return wait_again(tx, row, 0.0, **anew, **emptied)


def delete(tx: Transaction, job_id: str) -> bool:
    """Remove a job; one that runs is asked to stop, and goes when it has.

    Returns:
        Whether it is gone.

    Raises:
        JobNotFound: There is no such job.
    """
    row = _row(tx, job_id)
    if row.status == Status.RUNNING:
        _ask_to_stop(tx, row, removal_requested=True)
        return False
    remove(tx, job_id)
    return True


def attend(tx: Transaction, job_id: str) -> None:
    """Say that somebody still waits for an attended job, for another lease; one that is gone is no fault."""
    waited_for = update(jobs).where(jobs.c.id == job_id, jobs.c.attended.is_(True))
    tx.connection.execute(waited_for.values(attended_until_s=tx.now_s + tx.config.lease_s))


def _ask_to_stop(tx: Transaction, row: Row, **values: Any) -> JobRecord:
    asked = update(jobs).where(jobs.c.id == row.id).values(cancel_requested=True, **values)
    return JobRecord.of(tx.connection.execute(asked.returning(*jobs.c)).one())


def _row(tx: Transaction, job_id: str) -> Row:
    row = tx.connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise JobNotFound("there is no job of that id")
    return row
