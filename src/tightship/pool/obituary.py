"""What the parent writes for a worker that can no longer speak for itself."""

from __future__ import annotations

from tightship.core.receipt import Receipt
from tightship.errors import (
    Cancelled,
    DeadlineExceeded,
    Detail,
    MemoryExceeded,
    NoProgress,
    TightshipError,
    WorkerDied,
)
from tightship.pool.messages import Exited, Progress, Started
from tightship.pool.task import Task
from tightship.units import format_bytes, format_seconds

#: Characters of a unit that are believed: the worker that named it may have been taken over.
_UNIT_CHARS = 20


def error_of(exited: Exited, task: Task, ceiling_bytes: int, progress: Progress | None, words: str) -> TightshipError:
    """Return the error for an attempt whose worker was killed or died; it names the limit and the value."""
    reached, how_far = _last_of(progress)
    if exited.cause == "memory":
        return MemoryExceeded(
            f"{task.name} needed more than its {format_bytes(ceiling_bytes)} of memory and was killed{reached}",
            limit_bytes=ceiling_bytes,
            peak_bytes=exited.peak_bytes,
            **how_far,
        )
    if exited.cause == "deadline":
        limit_s = task.deadline.after(progress.done if progress else 0.0).hard_s
        return DeadlineExceeded(
            f"{task.name} was not done within {format_seconds(limit_s)} and was killed{reached}",
            limit_s=limit_s,
            **how_far,
        )
    if exited.cause == "no_progress":
        limit_s = task.deadline.no_progress_s
        return NoProgress(
            f"{task.name} got no further for {format_seconds(limit_s)} and was killed{reached}",
            limit_s=limit_s,
            **how_far,
        )
    if exited.cause == "cancelled":
        return Cancelled("the job was cancelled")
    return WorkerDied(
        f"the worker died in the middle of {task.name}: {exited.cause}{reached}",
        cause=exited.cause,
        log=words or None,
        **how_far,
    )


def _last_of(progress: Progress | None) -> tuple[str, dict[str, Detail]]:
    """Return the last progress in words, and for programs."""
    if progress is None:
        return "", {}
    unit = progress.unit[:_UNIT_CHARS]
    return f" at {progress.done:g} {unit}", {"progress": progress.done, "progress_unit": unit}


def receipt_of(exited: Exited, task: Task, started: Started | None, wall_s: float) -> Receipt:
    """Return the receipt of an attempt that ended with its process: nothing of a dead process is retained."""
    return Receipt(
        name=task.name,
        kind="attempt",
        outcome="cancelled" if exited.cause == "cancelled" else "killed",
        cause=exited.cause,
        wall_s=wall_s,
        cpu_s=max(0.0, exited.cpu_s - started.cpu_s) if started else exited.cpu_s,
        base_bytes=started.base_bytes if started else None,
        peak_bytes=exited.peak_bytes or None,
        retained_bytes=0,
        fds=0,
        threads=0,
        children=0,
        scratch_bytes=0,
        released=(f"{exited.orphans} orphaned processes",) if exited.orphans else (),
    )


def receipt_of_process(exited: Exited, why: str, wall_s: float, left_behind: tuple[str, ...]) -> Receipt:
    """Return the receipt of a worker's whole life.

    Args:
        exited: The warden's report.
        why: Why the pool ended it; when the pool did not, the warden's cause says more.
        wall_s: How long it lived.
        left_behind: Files of its folder that could not be removed.
    """
    meant = exited.cause == why
    return Receipt(
        name="worker",
        kind="worker",
        outcome="ok" if meant else "killed",
        cause=exited.cause,
        wall_s=wall_s,
        cpu_s=exited.cpu_s,
        retained_bytes=0,
        fds=0,
        threads=0,
        children=0,
        scratch_bytes=0,
        released=(f"{exited.orphans} orphaned processes",) if exited.orphans else (),
        left_behind=left_behind,
    )
