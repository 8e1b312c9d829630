"""A pool that starts no process: it answers each task with what it was told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from tightship.core.receipt import Receipt
from tightship.errors import Cancelled, TightshipError
from tightship.pool.messages import Progress
from tightship.pool.task import Outcome, Task
from tightship.pool.vigil import Event


class StubPool:
    """Stand in for `tightship.Pool` where a test is about what is asked of it.

    Args:
        answers: By task name, the result to give or the error the attempt ends with.
        ceiling_bytes: Memory that a slot may have.
    """

    def __init__(self, answers: Mapping[str, Mapping[str, Any] | TightshipError], ceiling_bytes: int = 2**30) -> None:
        self.ceiling_bytes = ceiling_bytes
        self.tasks: list[Task] = []
        self._answers = dict(answers)

    def run(
        self,
        task: Task,
        *,
        on_event: Callable[[Event], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Outcome:
        """Record the task, report it as done, and give its answer with a receipt that costs nothing."""
        self.tasks.append(task)
        if on_event is not None:
            on_event(Progress(1.0, 1.0, "tasks"))
        cancelled = cancel is not None and cancel.is_set()
        answer = Cancelled("the job was cancelled") if cancelled else self._answers[task.name]
        if isinstance(answer, TightshipError):
            return Outcome(None, answer, Receipt(task.name, "attempt", "failed", answer.code, 0.0))
        return Outcome(dict(answer), None, Receipt(task.name, "attempt", "ok", None, 0.0))

    def __repr__(self) -> str:
        return f"<StubPool {len(self.tasks)} tasks>"
