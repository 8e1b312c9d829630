"""The states of a job, and which of them are final."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a job stands.

    `failed` is an error that no retry can cure; `quarantined` means that all attempts are used up, by kills, crashes
    and errors that a retry might have cured.
    """

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    QUARANTINED = "quarantined"

    @property
    def final(self) -> bool:
        """Whether nothing more happens to the job unless somebody asks for it."""
        return self in FINAL


#: Where a job's way ends.
FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.QUARANTINED})
#: Final, and may be tried anew.
RETRIABLE = FINAL - {Status.SUCCEEDED}
