"""A job as people and programs get to see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tightship.store.record import JobRecord
from tightship.store.states import Status


def job_document(job: JobRecord) -> dict[str, Any]:
    """Return a job as plain JSON; times are ISO 8601, UTC."""
    error = job.error
    return {
        "id": job.id,
        "operation": job.operation,
        "options": dict(job.options),
        "status": str(job.status),
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "cancel_requested": job.cancel_requested,
        "progress": _progress(job),
        "result": None if job.result is None else dict(job.result),
        "result_url": None if job.result_digest is None else f"/v1/jobs/{job.id}/result",
        "receipt": None if job.receipt is None else job.receipt.to_dict(),
        "receipt_text": None if job.receipt is None else job.receipt.in_words(),
        "warnings": [dict(warning) for warning in job.warnings],
        "error": None
        if error is None
        else {"code": error.code, "message": error.public_message, "details": dict(error.details)},
        "source_name": job.source_name,
        "source_bytes": job.source_bytes,
        "created_at": _time(job.created_s),
        "started_at": _time(job.started_s),
        "finished_at": _time(job.finished_s),
    }


def _progress(job: JobRecord) -> dict[str, Any] | None:
    """Return how far a job has come: to its end when it succeeded, though the last word of that is older."""
    if job.progress is None:
        return None
    told = dict(job.progress)
    if job.status is not Status.SUCCEEDED or (job.result or {}).get("complete") is False:
        return told
    return {**told, "fraction": 1.0, "done": told["total"] or told["done"], "eta_s": 0.0}


def _time(unix_s: float | None) -> str | None:
    if unix_s is None:
        return None
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
