"""From one status to the next: what every change of a job's status has in common."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, update

from tightship.errors import TightshipError
from tightship.store import events
from tightship.store.document import encode_error
from tightship.store.record import JobRecord
from tightship.store.schema import jobs
from tightship.store.statement import Row, Statement
from tightship.store.states import Status
from tightship.store.transaction import Transaction

_CHANGE = Statement(update(jobs).where(jobs.c.id == bindparam("job_id")).returning(*jobs.c))
#: A job that nobody works on.
UNHELD: dict[str, Any] = {"owner": None, "lease_expires_s": None}


def wait_again(tx: Transaction, row: Row, delay_s: float, **values: Any) -> JobRecord:
    """Put a job back in line, where it stood, not to be claimed before `delay_s` have passed.

    Nobody owns it then, so that whoever held it cannot write any more.
    """
    record = _change(tx, row, {"status": Status.PENDING, "run_after_s": tx.now_s + delay_s, **UNHELD, **values})
    events.append_status(tx, row.id, Status.PENDING, record.attempts)
    # Every loop in a job's life leads through here; what it leaves behind is bounded here.
    events.trim(tx, row.id)
    return record


def end(tx: Transaction, row: Row, status: Status, error: TightshipError | None = None, **values: Any) -> JobRecord:
    """Give a job its final status; its input goes when it has succeeded, its row when that was asked for."""
    if status is Status.SUCCEEDED:
        tx.drop(row.source_digest)
        values["source_digest"] = None
    told = {"error": None if error is None else encode_error(error), "finished_s": tx.now_s, "cancel_requested": False}
    record = _change(tx, row, {"status": status, **UNHELD, **told, **values})
    events.append_status(tx, row.id, status, record.attempts)
    if row.removal_requested:
        remove(tx, row.id)
    return record


def remove(tx: Transaction, job_id: str) -> None:
    """Remove a job's row, and with it its attempts and events."""
    row = tx.connection.execute(
        delete(jobs).where(jobs.c.id == job_id).returning(jobs.c.source_digest, jobs.c.result_digest)
    ).one()
    tx.drop(row.source_digest, row.result_digest)


def _change(tx: Transaction, row: Row, values: dict[str, Any]) -> JobRecord:
    [changed] = _CHANGE.rows(tx.connection, job_id=row.id, **values)
    return JobRecord.of(changed)
