"""What the store tells about a job, an attempt, an event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tightship.core.receipt import Receipt
from tightship.errors import TightshipError, from_dict
from tightship.store.statement import Row
from tightship.store.states import Status


@dataclass(frozen=True)
class JobRecord:
    """A job as it stood when it was read. Times are Unix seconds by the database's clock.

    Args:
        fence: Grows with each claim; a write is accepted only with the present one.
        owner: Who holds the lease; None when nobody does.
        run_after_s: The job is not claimed before.
        reservation_bytes: Memory it is admitted by; None until its input has been looked at.
        source_digest: Its input among the blobs; None when it has none, or no longer.
        source_name: What the sender called the input, for people to read: never a path.
        media: What a look at the input told.
    """

    id: str
    operation: str
    options: Mapping[str, Any]
    status: Status
    attempts: int
    max_attempts: int
    fence: int
    owner: str | None
    lease_expires_s: float | None
    run_after_s: float
    cancel_requested: bool
    reservation_bytes: int | None
    source_digest: str | None
    source_bytes: int | None
    source_name: str | None
    media: Mapping[str, Any] | None
    progress: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    result_digest: str | None
    result_bytes: int | None
    warnings: tuple[Mapping[str, str], ...]
    receipt: Receipt | None
    error: TightshipError | None
    created_s: float
    started_s: float | None
    finished_s: float | None

    @classmethod
    def of(cls, row: Row) -> JobRecord:
        """Return the record of a row of `jobs`."""
        return cls(
            **{name: getattr(row, name) for name in _AS_THEY_ARE},
            **{name: _decoded(getattr(row, name)) for name in ("options", "media", "progress", "result")},
            status=Status(row.status),
            cancel_requested=bool(row.cancel_requested),
            warnings=tuple(_decoded(row.warnings) or ()),
            receipt=None if row.receipt is None else Receipt.from_dict(json.loads(row.receipt)),
            error=None if row.error is None else from_dict(json.loads(row.error)),
        )


_AS_THEY_ARE = (
    "id", "operation", "attempts", "max_attempts", "fence", "owner", "lease_expires_s", "run_after_s",
    "reservation_bytes", "source_digest", "source_bytes", "source_name", "result_digest",
    "result_bytes", "created_s", "started_s", "finished_s",
)  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """The right to work on a job until the lease expires.

    Args:
        job: The job as it was claimed.
        fence: What every write must show.
        owner: Who claimed it.
        more: Whether another job waited behind it.
        beside_bytes: Memory of all else that was worked on then, by which it was admitted.
    """

    job: JobRecord
    fence: int
    owner: str
    more: bool = False
    beside_bytes: int = 0


class Renewal(StrEnum):
    """What came of renewing a claim."""

    #: The lease runs anew.
    KEPT = "kept"
    #: The same, but the job is to be stopped.
    CANCEL = "cancel"
    #: The job is another's now, or gone: stop, and bring nothing back.
    LOST = "lost"


@dataclass(frozen=True)
class AttemptRecord:
    """One try at a job; the outcome is None while it lasts."""

    job_id: str
    number: int
    fence: int
    owner: str
    started_s: float
    finished_s: float | None
    outcome: str | None
    cause: str | None
    receipt: Receipt | None

    @classmethod
    def of(cls, row: Row) -> AttemptRecord:
        """Return the record of a row of `attempts`."""
        names = ("job_id", "number", "fence", "owner", "started_s", "finished_s", "outcome", "cause")
        receipt = None if row.receipt is None else Receipt.from_dict(json.loads(row.receipt))
        return cls(**{name: getattr(row, name) for name in names}, receipt=receipt)


@dataclass(frozen=True)
class EventRecord:
    """Something that happened to a job: `status`, `progress` or `partial`; the ids grow."""

    id: int
    job_id: str
    kind: str
    data: Mapping[str, Any]

    @classmethod
    def of(cls, row: Row) -> EventRecord:
        """Return the record of a row of `events`."""
        return cls(row.id, row.job_id, row.kind, json.loads(row.data))


def _decoded(text: str | None) -> Any:
    return None if text is None else json.loads(text)
