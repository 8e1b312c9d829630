"""The door: who may wait in line, decided in the transaction that lets in."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from tightship.errors import DiskFull, IdempotencyConflict, QueueFull, SeatLost
from tightship.store import events
from tightship.store.document import TEXT_CHARS, encode_options
from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.schema import jobs, seats
from tightship.store.statement import Statement
from tightship.store.states import Status
from tightship.store.transaction import Transaction
from tightship.store.upload import Blob
from tightship.units import format_bytes

_PENDING = select(func.count()).select_from(jobs).where(jobs.c.status == Status.PENDING)
_SEATED = select(func.count()).select_from(seats).where(seats.c.lease_expires_s > bindparam("now_s"))
_LINE = Statement(
    select(
        (_PENDING.scalar_subquery() + _SEATED.scalar_subquery()).label("waiting"),
        select(func.coalesce(func.max(jobs.c.position), 0) + 1).scalar_subquery().label("place"),
    )
)
_ENTER = Statement(insert(jobs).returning(*jobs.c))


def job_of_key(tx: Transaction, request: Request) -> JobRecord | None:
    """Return the job that the request's idempotency key already names; `same_job` tells whether it asks for the same.

    Raises:
        IdempotencyConflict: The first request with the key is still being received.
    """
    if request.idempotency_key is None:
        return None
    for table in (seats, jobs):
        row = tx.connection.execute(
            select(table).where(table.c.idempotency_key == request.idempotency_key)
        ).one_or_none()
        if row is None:
            continue
        if table is seats and row.lease_expires_s <= tx.now_s:
            leave_seat(tx, row.id)
            continue
        if table is seats:
            raise IdempotencyConflict("the first request with this idempotency key is still being received")
        return JobRecord.of(row)
    return None


def same_job(tx: Transaction, request: Request, blob: Blob | None) -> JobRecord | None:
    """Return the job of the request's idempotency key, which asks for the same of the same input.

    Raises:
        IdempotencyConflict: The key was used for another request, or its first one is still being received.
    """
    job = job_of_key(tx, request)
    if job is not None:
        asked = select(jobs.c.request_hash).where(jobs.c.id == job.id)
        if tx.connection.execute(asked).scalar_one() != _request_hash(_asked(tx, request), blob):
            raise IdempotencyConflict("this idempotency key was used for another request")
    return job


def place_in_line(tx: Transaction) -> int:
    """Return the place after the last.

    Raises:
        QueueFull: As many jobs and uploads wait as may wait.
    """
    [line] = _LINE.rows(tx.connection, now_s=tx.now_s)
    if line.waiting >= tx.config.max_pending:
        raise QueueFull(
            f"{line.waiting} jobs are waiting; at most {tx.config.max_pending} may",
            waiting=line.waiting,
            limit=tx.config.max_pending,
            retry_after_s=tx.config.retry_after_s,
        )
    return int(line.place)


def seats_taken(connection: Connection, now_s: float) -> int:
    """Return how many uploads hold a place."""
    return int(connection.execute(_SEATED, {"now_s": now_s}).scalar_one())


def check_disk(tx: Transaction, content_bytes: int, free_bytes: int) -> None:
    """Raise `DiskFull` when the input would not leave the reserve free.

    What uploads under way have already written counts twice, as theirs and as not free: an error to the safe side.
    """
    reserved_bytes = tx.connection.execute(
        select(func.coalesce(func.sum(seats.c.content_bytes), 0)).where(seats.c.lease_expires_s > tx.now_s)
    ).scalar_one()
    left_bytes = free_bytes - reserved_bytes - content_bytes
    if left_bytes < tx.config.disk_reserve_bytes:
        raise DiskFull(
            f"there is no room for {format_bytes(content_bytes)}: {format_bytes(free_bytes)} are free, uploads "
            f"under way have reserved {format_bytes(reserved_bytes)}, and "
            f"{format_bytes(tx.config.disk_reserve_bytes)} are kept",
            needed_bytes=content_bytes,
            free_bytes=free_bytes,
            reserved_bytes=reserved_bytes,
        )


def check_room(tx: Transaction, content_bytes: int | None, free_bytes: int) -> int:
    """Return the bytes of disk to reserve for an input of that length; raises what `take_seat` does."""
    place_in_line(tx)
    room_bytes = tx.config.max_content_bytes if content_bytes is None else content_bytes
    check_disk(tx, room_bytes, free_bytes)
    return room_bytes


def take_seat(tx: Transaction, request: Request, free_bytes: int) -> str:
    """Let a request in before its input is read.

    Returns:
        The id that the job will have.

    Raises:
        QueueFull: As many wait as may wait.
        DiskFull: The input would not fit.
    """
    content_bytes = check_room(tx, request.content_bytes, free_bytes)
    seat_id = new_id(tx.now_s)
    values = {"id": seat_id, "content_bytes": content_bytes, "lease_expires_s": tx.now_s + tx.config.lease_s}
    tx.connection.execute(insert(seats), {**_asked(tx, request), **values})
    return seat_id


def renew_seat(tx: Transaction, seat_id: str) -> bool:
    """Keep a seat for another lease; False when it is gone."""
    changed = tx.connection.execute(
        update(seats).where(seats.c.id == seat_id).values(lease_expires_s=tx.now_s + tx.config.lease_s)
    )
    return changed.rowcount == 1


def leave_seat(tx: Transaction, seat_id: str) -> None:
    """Give a seat up; one that is gone already is no fault."""
    tx.connection.execute(delete(seats).where(seats.c.id == seat_id))


def fill_seat(tx: Transaction, seat_id: str, blob: Blob | None, request: Request | None = None) -> JobRecord:
    """Turn a seat into a job that waits.

    Args:
        request: What is asked for, where that was not known when the seat was taken; the key is the seat's.

    Raises:
        SeatLost: It expired while the input was being received.
    """
    row = tx.connection.execute(delete(seats).where(seats.c.id == seat_id).returning(*seats.c)).one_or_none()
    if row is None:
        raise SeatLost("the upload took longer than its place in the queue was kept; send it again")
    asked = {name: getattr(row, name) for name in _ASKED} if request is None else _asked(tx, request)
    asked["idempotency_key"] = row.idempotency_key
    # The seat has held the room.
    [line] = _LINE.rows(tx.connection, now_s=tx.now_s)
    return _enter(tx, seat_id, line.place, asked, blob, None)


def enter(tx: Transaction, request: Request, blob: Blob | None, reservation_bytes: int | None) -> JobRecord:
    """Let a request in whose input, if any, is here.

    Raises:
        QueueFull: As many wait as may wait.
    """
    place = place_in_line(tx)
    return _enter(tx, new_id(tx.now_s), place, _asked(tx, request), blob, reservation_bytes)


def new_id(now_s: float) -> str:
    """Return an id that sorts by time: UUID version 7, by the database's clock.

    Source: RFC 9562, section 5.7.
    """
    number = (int(now_s * 1000) & (2**48 - 1)) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62
    text = f"{number | secrets.randbits(62):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


_ASKED = ("operation", "options", "max_attempts", "source_name", "idempotency_key", "attended")


def _asked(tx: Transaction, request: Request) -> dict[str, Any]:
    name = request.source_name
    return {
        "operation": request.operation,
        "options": encode_options(request.options),
        "max_attempts": request.max_attempts or tx.config.max_attempts,
        "source_name": None if name is None else name[:TEXT_CHARS],
        "idempotency_key": request.idempotency_key,
        "attended": request.attended,
    }


def _request_hash(asked: Mapping[str, Any], blob: Blob | None) -> str:
    content = None if blob is None else blob.digest
    return hashlib.sha256(f"{asked['operation']}\n{asked['options']}\n{content}".encode()).hexdigest()


def _enter(
    tx: Transaction,
    job_id: str,
    place: int,
    asked: Mapping[str, Any],
    blob: Blob | None,
    reservation_bytes: int | None,
) -> JobRecord:
    values = {
        "id": job_id,
        "position": place,
        "status": Status.PENDING,
        "run_after_s": tx.now_s,
        "created_s": tx.now_s,
        "request_hash": _request_hash(asked, blob),
        "reservation_bytes": reservation_bytes,
        "source_digest": None if blob is None else blob.digest,
        "source_bytes": None if blob is None else blob.size_bytes,
        "attended_until_s": tx.now_s + tx.config.lease_s if asked["attended"] else None,
    }
    [row] = _ENTER.rows(tx.connection, **asked, **values)
    events.append_status(tx, job_id, Status.PENDING, 0)
    return JobRecord.of(row)
