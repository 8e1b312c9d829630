"""Questions about jobs; none of them changes anything."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, func, or_, select, union_all

from tightship.errors import JobNotFound
from tightship.store.record import AttemptRecord, EventRecord, JobRecord
from tightship.store.schema import attempts, events, jobs
from tightship.store.statement import Statement
from tightship.store.states import Status

_JOB = Statement(select(jobs).where(jobs.c.id == bindparam("job_id")))
_WANTED = Statement(
    select(jobs.c.id).where(
        or_(jobs.c.status == Status.RUNNING, jobs.c.status == Status.PENDING),
        jobs.c.owner == bindparam("holder"),
        jobs.c.cancel_requested.is_(False),
    )
)
_REFERRING = Statement(
    select(jobs.c.id)
    .where(jobs.c.source_digest == bindparam("digest"))
    .union_all(select(jobs.c.id).where(jobs.c.result_digest == bindparam("digest")))
    .limit(1)
)


def get(connection: Connection, job_id: str) -> JobRecord:
    """Return a job.

    Raises:
        JobNotFound: There is no such job.
    """
    row = _JOB.row(connection, job_id=job_id)
    if row is None:
        raise JobNotFound("there is no job of that id")
    return JobRecord.of(row)


def newest(connection: Connection, status: Status | None, limit: int, after: str | None) -> list[JobRecord]:
    """Return jobs, the newest first.

    Args:
        after: The id of the last job of the page before.
    """
    wanted = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
    if status is not None:
        wanted = wanted.where(jobs.c.status == status)
    if after is not None:
        wanted = wanted.where(jobs.c.id < after)
    return [JobRecord.of(row) for row in connection.execute(wanted)]


def wanted(connection: Connection, owner: str) -> set[str]:
    """Return the jobs that an owner works on, and that nobody has asked to stop."""
    return {row.id for row in _WANTED.rows(connection, holder=owner)}


def counts(connection: Connection) -> dict[Status, int]:
    """Return how many jobs there are in each status."""
    rows = connection.execute(select(jobs.c.status, func.count()).group_by(jobs.c.status))
    found = {Status(status): count for status, count in rows}
    return {status: found.get(status, 0) for status in Status}


def events_since(connection: Connection, job_id: str, after: int, limit: int) -> list[EventRecord]:
    """Return what happened to a job after the event of that id, the oldest first."""
    wanted = select(events).where(events.c.job_id == job_id, events.c.id > after).order_by(events.c.id)
    return [EventRecord.of(row) for row in connection.execute(wanted.limit(limit))]


def attempts_of(connection: Connection, job_id: str) -> list[AttemptRecord]:
    """Return the attempts at a job, the oldest first."""
    wanted = select(attempts).where(attempts.c.job_id == job_id).order_by(attempts.c.fence)
    return [AttemptRecord.of(row) for row in connection.execute(wanted)]


def refers_to(connection: Connection, digest: str) -> bool:
    """Whether a job has the file as its input or its result."""
    return _REFERRING.row(connection, digest=digest) is not None


def referred_to(connection: Connection) -> set[str]:
    """Return the digest of every file that a job has as its input or its result."""
    both = (select(column).where(column.is_not(None)) for column in (jobs.c.source_digest, jobs.c.result_digest))
    return set(connection.execute(union_all(*both)).scalars())
