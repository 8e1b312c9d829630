"""Looking at a job's input before it can be claimed: it costs no attempt, but its own tries are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from tightship.core.receipt import Receipt
from tightship.errors import TightshipError
from tightship.store import backoff
from tightship.store.claims import held, load, start
from tightship.store.document import DATA_BYTES, encode
from tightship.store.ending import finish
from tightship.store.record import Claim, JobRecord
from tightship.store.schema import jobs
from tightship.store.statement import Statement
from tightship.store.states import Status
from tightship.store.transaction import Transaction
from tightship.store.transition import UNHELD, end, wait_again
from tightship.store.upload import Blob

_OLDEST = Statement(
    select(jobs.c.id)
    .where(jobs.c.status == Status.PENDING, jobs.c.reservation_bytes.is_(None))
    .where(jobs.c.run_after_s <= bindparam("now_s"), jobs.c.probes < jobs.c.max_attempts)
    .where(or_(jobs.c.lease_expires_s.is_(None), jobs.c.lease_expires_s <= bindparam("now_s")))
    .order_by(jobs.c.position)
    .limit(1)
)
_CLAIM = Statement(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"))
    .values(fence=jobs.c.fence + 1, probes=jobs.c.probes + 1)
    .returning(*jobs.c)
)
_PROBED = Statement(update(jobs).where(jobs.c.id == bindparam("job_id")).returning(*jobs.c))


def claim_probe(tx: Transaction, owner: str, budget_bytes: int) -> Claim | None:
    """Claim the look at the oldest input that nobody has looked at; None when there is none or no room."""
    oldest = _OLDEST.row(tx.connection, now_s=tx.now_s)
    if oldest is None:
        return None
    now = load(tx.connection, tx.now_s, tx.config)
    fits = now.committed_bytes + tx.config.probe_reservation_bytes <= budget_bytes
    if now.probing >= tx.config.max_probing or not fits:
        return None
    held = {"owner": owner, "lease_expires_s": tx.now_s + tx.config.lease_s}
    [row] = _CLAIM.rows(tx.connection, job_id=oldest.id, **held)
    return Claim(JobRecord.of(row), row.fence, owner)


def probed(tx: Transaction, claim: Claim, media: Mapping[str, Any], reservation_bytes: int) -> JobRecord:
    """Write down what the input is and what memory the job is admitted by; now it can be claimed.

    Raises:
        StaleClaim: The lease was lost.
    """
    row = held(tx, claim, Status.PENDING)
    values = {
        "media": encode(media, DATA_BYTES, "what the input is"),
        "reservation_bytes": max(0, reservation_bytes),
        "run_after_s": tx.now_s,
        **UNHELD,
    }
    [changed] = _PROBED.rows(tx.connection, job_id=row.id, **values)
    return JobRecord.of(changed)


def answer(
    tx: Transaction,
    claim: Claim,
    result: Mapping[str, Any],
    receipt: Receipt,
    warnings: Sequence[Mapping[str, str]],
    result_blob: Blob | None = None,
) -> JobRecord:
    """End a job of which the look at its input was all the work: the look was its attempt, and has its receipt.

    Raises:
        StaleClaim: The lease was lost.
        OutputTooLarge: The result's data is too long.
    """
    row = held(tx, claim, Status.PENDING)
    return finish(tx, start(tx, row.id, claim.owner, tx.now_s - receipt.wall_s), result, result_blob, warnings, receipt)


def refuse(tx: Transaction, claim: Claim, error: TightshipError, jitter: float) -> JobRecord:
    """Say that the look went wrong: for good, or to be tried again while there are tries left.

    Raises:
        StaleClaim: The lease was lost.
    """
    row = held(tx, claim, Status.PENDING)
    if not error.retryable:
        return end(tx, row, Status.FAILED, error)
    if row.probes >= row.max_attempts:
        return end(tx, row, Status.QUARANTINED, error)
    wait_s = backoff.delay_s(row.probes, jitter, tx.config.backoff_base_s, tx.config.backoff_cap_s)
    return wait_again(tx, row, wait_s)
