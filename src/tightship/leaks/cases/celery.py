"""Tasks of Celery, run in place with `apply`, as its workers of the pool `solo` run them.

Suspected: Celery, and tasks that fail. True: running a task is level, and so is one that fails and is dropped. A result
that is kept keeps the error of its task and, through the traceback, what the task had in its hands.
Cure: keep the task's id and state, not its result object.
"""

from __future__ import annotations

import functools
from typing import Any

#: Packages that must be installed, by what is imported.
NEEDS = {"celery": "celery"}

_results: list[Any] = []
_states: dict[str, int] = {}


def task() -> None:
    """A task is run and its result looked at."""
    assert _task().apply(args=(3,)).get() == 9


def task_that_fails() -> None:
    """A task fails, and its result is dropped."""
    assert _task().apply(args=(-1,)).failed()


def failures_kept() -> None:
    """A task fails, and its result is kept."""
    _results.append(_task().apply(args=(-1,)))


def failures_kept_cured() -> None:
    """Only how often tasks ended in which state is kept."""
    state = _task().apply(args=(-1,)).state
    _states[state] = _states.get(state, 0) + 1


@functools.cache
def _task() -> Any:
    from celery import Celery

    app = Celery("cases", broker="memory://", backend="cache+memory://")
    app.log.already_setup = True
    app.conf.worker_hijack_root_logger = False
    return app.task(_square, name="square")


def _square(number: int) -> int:
    upload = bytearray(20_000)
    if number < 0:
        raise ValueError(len(upload))
    return number * number
