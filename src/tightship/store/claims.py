"""Who works on what: claims and their leases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, insert, or_, select, update

from tightship.errors import ExceedsBudget, StaleClaim
from tightship.store import events
from tightship.store.config import StoreConfig
from tightship.store.document import EVENT_BYTES, encode
from tightship.store.record import Claim, JobRecord, Renewal
from tightship.store.schema import attempts, jobs
from tightship.store.statement import Row, Statement
from tightship.store.states import Status
from tightship.store.transaction import Transaction
from tightship.store.transition import end
from tightship.units import format_bytes

#: Jobs in line that are looked at for one that fits: more than may wait, unless many were tried anew.
_LOOKED_AT = 32

_RUNNING = jobs.c.status == Status.RUNNING
_PROBING = and_(jobs.c.status == Status.PENDING, jobs.c.lease_expires_s > bindparam("now_s"))
_LOAD = Statement(
    select(
        func.count(case((_RUNNING, 1))).label("running"),
        func.count(case((_PROBING, 1))).label("probing"),
        func.coalesce(func.sum(case((_RUNNING, jobs.c.reservation_bytes))), 0).label("reserved_bytes"),
    ).where(or_(_RUNNING, jobs.c.status == Status.PENDING))
)
_IN_LINE = Statement(
    # What the decision needs, and what `end` does for a job that can never fit.
    select(*(jobs.c[name] for name in ("id", "operation", "reservation_bytes", "passes", "removal_requested")))
    .where(jobs.c.status == Status.PENDING, jobs.c.reservation_bytes.is_not(None))
    .where(jobs.c.run_after_s <= bindparam("now_s"))
    .order_by(jobs.c.position)
    .limit(_LOOKED_AT)
)
_START = Statement(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"))
    .values(attempts=jobs.c.attempts + 1, fence=jobs.c.fence + 1)
    .returning(*jobs.c)
)
_MINE = and_(
    jobs.c.id == bindparam("shown_id"),
    jobs.c.fence == bindparam("shown_fence"),
    jobs.c.owner == bindparam("shown_owner"),
)
_HELD = Statement(select(jobs).where(_MINE))
_RENEW = Statement(update(jobs).where(_MINE).returning(jobs.c.cancel_requested))
_OPEN_ATTEMPT = Statement(insert(attempts))


@dataclass(frozen=True)
class Load:
    """What is being worked on now, in all processes, and the memory it is admitted by."""

    running: int
    probing: int
    committed_bytes: int


def load(connection: Connection, now_s: float, config: StoreConfig) -> Load:
    """Return what is being worked on now."""
    [row] = _LOAD.rows(connection, now_s=now_s)
    committed_bytes = row.reserved_bytes + row.probing * config.probe_reservation_bytes
    return Load(row.running, row.probing, committed_bytes)


def claim(tx: Transaction, owner: str, budget_bytes: int) -> Claim | None:
    """Claim the oldest job that may run and fits; None when there is none.

    The line is kept in order, but for this: while the oldest job does not fit beside what runs now, a later one that
    does may go ahead, `max_passes` times at most. Then nobody is let in until the oldest fits, which it will, because
    what runs ends and a job larger than the whole budget is refused here.
    """
    line = _IN_LINE.rows(tx.connection, now_s=tx.now_s)
    if not line:  # asked first: most who come find none
        return None
    now = load(tx.connection, tx.now_s, tx.config)
    if now.running >= tx.config.max_running:
        return None
    oldest: Row | None = None
    for row in line:
        if row.reservation_bytes > budget_bytes:
            _refuse_too_large(tx, row, budget_bytes)
        elif now.committed_bytes + row.reservation_bytes <= budget_bytes:
            if oldest is not None:
                tx.connection.execute(update(jobs).where(jobs.c.id == oldest.id).values(passes=oldest.passes + 1))
            begun = start(tx, row.id, owner, tx.now_s)
            return replace(begun, more=len(line) > 1, beside_bytes=now.committed_bytes)
        elif oldest is None:
            oldest = row
            if row.passes >= tx.config.max_passes:
                return None
    return None


def _refuse_too_large(tx: Transaction, row: Row, budget_bytes: int) -> None:
    error = ExceedsBudget(
        f"{row.operation} of this file needs {format_bytes(row.reservation_bytes)} of memory; "
        f"there are {format_bytes(budget_bytes)} in all",
        needed_bytes=row.reservation_bytes,
        limit_bytes=budget_bytes,
    )
    end(tx, row, Status.FAILED, error)


def start(tx: Transaction, job_id: str, owner: str, started_s: float) -> Claim:
    """Begin the next attempt at a job."""
    values: dict[str, Any] = {
        "status": Status.RUNNING,
        "passes": 0,
        "owner": owner,
        "lease_expires_s": tx.now_s + tx.config.lease_s,
        "started_s": started_s,
        "progress": None,
    }
    [row] = _START.rows(tx.connection, job_id=job_id, **values)
    job = JobRecord.of(row)
    attempt = {"job_id": job.id, "fence": job.fence, "number": job.attempts, "operation": job.operation}
    _OPEN_ATTEMPT.rows(tx.connection, **attempt, owner=owner, started_s=started_s)
    events.append_status(tx, job.id, Status.RUNNING, job.attempts)
    return Claim(job, job.fence, owner)


def renew(tx: Transaction, claim: Claim, progress: Mapping[str, Any] | None) -> Renewal:
    """Let the lease of an attempt, or of a look at an input, run anew."""
    values: dict[str, Any] = {"lease_expires_s": tx.now_s + tx.config.lease_s}
    if progress is not None:
        values["progress"] = encode(progress, EVENT_BYTES, "progress")
    row = _RENEW.row(tx.connection, **_shown(claim), **values)
    if row is None:
        return Renewal.LOST
    if progress is not None:
        events.append(tx, claim.job.id, "progress", progress)
    return Renewal.CANCEL if row.cancel_requested else Renewal.KEPT


def append_partial(tx: Transaction, claim: Claim, *parts: Mapping[str, Any]) -> None:
    """Note parts of the result.

    Raises:
        StaleClaim: The lease was lost.
    """
    held(tx, claim, Status.RUNNING)
    for data in parts:
        events.append(tx, claim.job.id, "partial", data)


def held(tx: Transaction, claim: Claim, status: Status) -> Row:
    """Return the row of a claimed job.

    Raises:
        StaleClaim: The claim is no longer good.
    """
    row = _HELD.row(tx.connection, **_shown(claim))
    if row is None or row.status != status:
        raise StaleClaim(f"job {claim.job.id} is no longer {claim.owner}'s", fence=claim.fence)
    return row


def _shown(claim: Claim) -> dict[str, Any]:
    return {"shown_id": claim.job.id, "shown_fence": claim.fence, "shown_owner": claim.owner}
