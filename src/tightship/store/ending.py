"""The writes that end an attempt: done, failed, handed back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from tightship.core.receipt import Receipt
from tightship.errors import Cancelled, TightshipError
from tightship.store import backoff
from tightship.store.claims import held
from tightship.store.document import DATA_BYTES, encode, encode_receipt, encode_warnings
from tightship.store.record import Claim, JobRecord
from tightship.store.schema import attempts
from tightship.store.statement import Row, Statement
from tightship.store.states import Status
from tightship.store.transaction import Transaction
from tightship.store.transition import end, wait_again
from tightship.store.upload import Blob

_CLOSE_ATTEMPT = Statement(
    update(attempts).where(attempts.c.job_id == bindparam("of_job"), attempts.c.fence == bindparam("of_fence"))
)


def finish(
    tx: Transaction,
    claim: Claim,
    result: Mapping[str, Any],
    result_blob: Blob | None,
    warnings: Sequence[Mapping[str, str]],
    receipt: Receipt,
) -> JobRecord:
    """End an attempt that succeeded.

    Raises:
        StaleClaim: The lease was lost; the result is thrown away.
        OutputTooLarge: The result's data is too long.
    """
    row = held(tx, claim, Status.RUNNING)
    told = close_attempt(tx, row, receipt)
    return end(
        tx,
        row,
        Status.SUCCEEDED,
        result=encode(result, DATA_BYTES, "the result"),
        result_digest=None if result_blob is None else result_blob.digest,
        result_bytes=None if result_blob is None else result_blob.size_bytes,
        warnings=encode_warnings(warnings),
        receipt=told,
    )


def fail(tx: Transaction, claim: Claim, error: TightshipError, receipt: Receipt, jitter: float) -> JobRecord:
    """End an attempt that did not succeed: the job waits for the next one, or has had its last.

    Raises:
        StaleClaim: The lease was lost.
    """
    row = held(tx, claim, Status.RUNNING)
    told = close_attempt(tx, row, receipt)
    if row.cancel_requested or isinstance(error, Cancelled):
        return end(tx, row, Status.CANCELLED, error if isinstance(error, Cancelled) else cancelled(), receipt=told)
    if not error.retryable:
        return end(tx, row, Status.FAILED, error, receipt=told)
    if row.attempts >= row.max_attempts:
        return end(tx, row, Status.QUARANTINED, error, receipt=told)
    wait_s = backoff.delay_s(row.attempts, jitter, tx.config.backoff_base_s, tx.config.backoff_cap_s)
    return wait_again(tx, row, wait_s, receipt=told)


def hand_back(tx: Transaction, claim: Claim) -> JobRecord:
    """Give up an attempt, or a look at an input, as if it had never been claimed.

    Raises:
        StaleClaim: The lease was lost.
    """
    row = held(tx, claim, claim.job.status)
    if row.status == Status.PENDING:
        return wait_again(tx, row, 0.0, probes=row.probes - 1)
    tx.connection.execute(delete(attempts).where(attempts.c.job_id == row.id, attempts.c.fence == row.fence))
    if row.cancel_requested:
        return end(tx, row, Status.CANCELLED, cancelled(), attempts=row.attempts - 1)
    return wait_again(tx, row, 0.0, attempts=row.attempts - 1)


def close_attempt(tx: Transaction, row: Row, receipt: Receipt) -> str:
    """Write down how an attempt ended, and drop the oldest beyond the limit; return the receipt as it was written."""
    told = encode_receipt(receipt)
    ended = {"finished_s": tx.now_s, "outcome": receipt.outcome, "cause": receipt.cause, "receipt": told}
    _CLOSE_ATTEMPT.rows(tx.connection, of_job=row.id, of_fence=row.fence, **ended)
    # A job rarely has so many: a look at its count spares the rest.
    if row.fence > tx.config.max_attempt_rows:
        newest = select(attempts.c.fence).where(attempts.c.job_id == row.id).order_by(attempts.c.fence.desc())
        oldest_kept = newest.offset(tx.config.max_attempt_rows - 1).limit(1).scalar_subquery()
        tx.connection.execute(delete(attempts).where(attempts.c.job_id == row.id, attempts.c.fence < oldest_kept))
    return told


def cancelled() -> Cancelled:
    """Return the error of a job whose cancellation was asked for."""
    return Cancelled("the job was cancelled")
