"""What happened to a job, for whoever watches: a bounded log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import delete, insert, select

from tightship.errors import OutputTooLarge
from tightship.store.document import EVENT_BYTES, encode
from tightship.store.schema import events
from tightship.store.statement import Statement
from tightship.store.transaction import Transaction

Kind = Literal["status", "progress", "partial"]

_APPEND = Statement(insert(events))


def append_status(tx: Transaction, job_id: str, status: str, attempts: int) -> None:
    """Note that the job's status has changed."""
    data = json.dumps({"status": status, "attempts": attempts}, separators=(",", ":"))
    _APPEND.rows(tx.connection, job_id=job_id, kind="status", data=data)


def append(tx: Transaction, job_id: str, kind: Kind, data: Mapping[str, Any]) -> None:
    """Note progress, of which only the newest is kept, or a part of the result."""
    try:
        text = encode(data, EVENT_BYTES, kind)
    except OutputTooLarge as unfit:
        # Whoever watches is told; the job itself goes on.
        text = json.dumps({"error": unfit.to_dict()}, separators=(",", ":"))
    if kind == "progress":
        tx.connection.execute(delete(events).where(events.c.job_id == job_id, events.c.kind == kind))
    _APPEND.rows(tx.connection, job_id=job_id, kind=kind, data=text)
    trim(tx, job_id)


def trim(tx: Transaction, job_id: str) -> None:
    """Drop the oldest events beyond the limit."""
    newest = select(events.c.id).where(events.c.job_id == job_id).order_by(events.c.id.desc())
    oldest_kept = newest.offset(tx.config.max_events - 1).limit(1).scalar_subquery()
    tx.connection.execute(delete(events).where(events.c.job_id == job_id, events.c.id < oldest_kept))
