"""Jobs in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tightship.cli.output import printable
from tightship.cli.words import table
from tightship.units import format_bytes, format_seconds

#: Characters of a name that a table has room for.
_NAME_CHARS = 40
_HEAD = ("JOB", "OPERATION", "STATUS", "TRIES", "CREATED", "SOURCE")


def jobs_in_words(jobs: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of jobs; nothing when there are none."""
    if not jobs:
        return ""
    rows = [_HEAD, *(tuple(printable(cell) for cell in _row(job)) for job in jobs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join("  ".join(f"{cell:<{widths[at]}}" for at, cell in enumerate(row)).rstrip() for row in rows)


def job_in_words(job: Mapping[str, Any]) -> str:
    """Return all about a job, a line for each thing that is known."""
    error, size = job["error"], job["source_bytes"]
    facts = [
        ("job", job["id"]),
        ("operation", job["operation"]),
        ("options", json.dumps(job["options"])),
        ("status", _status(job)),
        ("attempts", f"{job['attempts']} of {job['max_attempts']}"),
        ("source", " ".join(filter(None, (job["source_name"], f"({format_bytes(size)})" if size else None)))),
        ("created", job["created_at"]),
        ("started", job["started_at"]),
        ("finished", job["finished_at"]),
        *(("warning", warning["message"]) for warning in job["warnings"]),
        ("error", f"{error['message']} ({error['code']})" if error else None),
        ("result", json.dumps(job["result"]) if job["result"] else None),
        ("receipt", job["receipt_text"]),
    ]
    return table((name, value) for name, value in facts if value)


def _row(job: Mapping[str, Any]) -> tuple[str, ...]:
    name = job["source_name"] or "-"
    short = name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 1]}…"
    tries = f"{job['attempts']}/{job['max_attempts']}"
    return (job["id"], job["operation"], _status(job), tries, job["created_at"] or "-", short)


def _status(job: Mapping[str, Any]) -> str:
    """Return the status, of a job that runs with how far it is, of one that did not succeed with the code."""
    progress, error = job["progress"] or {}, job["error"]
    if job["status"] == "running" and progress.get("fraction") is not None:
        left_s = progress.get("eta_s")
        left = "" if left_s is None else f", {format_seconds(left_s)} left"
        return f"running {progress['fraction']:.0%}{left}"
    return f"{job['status']}: {error['code']}" if error and error["code"] != job["status"] else str(job["status"])
