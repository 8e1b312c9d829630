"""asyncio tasks that never end: where they were made and what they wait for."""

from __future__ import annotations

import asyncio
import gc
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tightship.leaks.report import Origin
from tightship.leaks.where.heap import Heap, frozen, tracing_memory
from tightship.leaks.where.rerun import Rerun, collect_all, steps_that_show
from tightship.leaks.where.stack import Call, origin

MOST_ORIGINS = 5


def find_tasks(rerun: Rerun, slope: float) -> tuple[Origin, ...]:
    """Return where tasks were made that are still pending after more steps."""
    heap = Heap()
    with frozen(), tracing_memory():
        steps = rerun.run(steps_that_show(slope))
        collect_all()
        groups: dict[Call | None, list[asyncio.Task[Any]]] = defaultdict(list)
        for task in _pending():
            groups[heap.made_at(task)].append(task)
        ranked = sorted(((call, tasks) for call, tasks in groups.items() if call), key=lambda pair: -len(pair[1]))
        found = [_origin(heap, tasks, steps) for _, tasks in ranked[:MOST_ORIGINS]]
        groups.clear()
    return tuple(found)


def _pending() -> Iterator[asyncio.Task[Any]]:
    for thing in gc.get_objects():
        if issubclass(type(thing), asyncio.Task) and not thing.done():
            yield thing


def _origin(heap: Heap, tasks: list[asyncio.Task[Any]], steps: int) -> Origin:
    task = tasks[-1]
    name = getattr(task.get_coro(), "__qualname__", "?")
    return origin(f"task of {name}, {awaited(task)}", heap.stack_of(task), len(tasks) / max(1, steps))


def awaited(task: asyncio.Task[Any]) -> str:
    """Return in words what a task waits for: the innermost coroutine that is suspended, and on what."""
    inner: Any = task.get_coro()
    place = "not started"
    while True:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None)
        if frame is not None and getattr(inner, "cr_suspended", True):
            place = f"waits in {frame.f_code.co_qualname} at {frame.f_code.co_filename}:{frame.f_lineno}"
        following = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
        if following is None:
            return place
        inner = following
