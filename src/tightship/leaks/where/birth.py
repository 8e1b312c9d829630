"""Which line a descriptor, a thread, a child process or a temporary file that stays was made at."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import FrameType
from typing import Any

from tightship.leaks.report import Origin
from tightship.leaks.where.rerun import Rerun, collect_all, steps_that_show
from tightship.leaks.where.stack import Call, Stack, origin, stack_of, user_call
from tightship.leaks.where.table import Children, Descriptors, Table, TemporaryFiles, Threads
from tightship.leaks.where.trace import auditing, hearing_thread_starts, tracing

#: Makers of the metrics' tables; they are made when they are needed, as each has a first look.
TABLES: Mapping[str, Callable[[], Table]] = {
    "fds": Descriptors,
    "sockets": lambda: Descriptors(sockets=True),
    "threads": Threads,
    "descendants": Children,
    "temp_files": TemporaryFiles,
}
#: Lines that are reported for one metric.
MOST_ORIGINS = 5
#: A line with less than this share of the largest one's, or of the growth, is a single event and not the leak.
MIN_SHARE = 0.2
#: Audit events of calls that make a path, and which argument it is.
_MAKES_PATH = {
    "open": 0, "os.mkdir": 0, "os.link": 1, "os.symlink": 1, "os.rename": 1, "sqlite3.connect": 0, "socket.bind": 1,
}  # fmt: skip
#: Where lines wait for other threads, but for the one that calls what a thread is for.
_WAITS_IN, _CALLS_TARGET = threading.Event.wait.__code__.co_filename, threading.Thread.run.__qualname__


@dataclass(frozen=True)
class _Birth:
    #: Of the line that saw it first, then of those that other threads were at meanwhile; with the number of the look.
    seen: list[tuple[Stack, int]]
    identity: str
    step: int
    number: int = 0


class Nursery:
    """Remembers at which line each entry of a table came up, for as long as it is there."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.step = 0
        self._mark = table.mark()
        self._before = self._known = table.keys()
        self._births: dict[Hashable, _Birth] = {}
        self._told: dict[Hashable, _Birth] = {}
        self._lock = threading.Lock()
        self._number = self._looks = 0
        # How many births each thread knew of when its line began.
        self._here = threading.local()

    def line_ended(self, frame: FrameType, line: int) -> None:
        """Look for what is new; it was made by the line that has just run, or by one that ran beside it."""
        mark = self.table.mark()
        known = getattr(self._here, "number", None)
        if (mark == self._mark and known == self._number) or not self._lock.acquire(blocking=False):
            return
        try:
            self._looks += 1
            if known is not None:
                self._claim(known, frame, line)
            if mark != self._mark and self._look(lambda: stack_of(frame, line)):
                self._mark = mark
            self._here.number = self._number
        finally:
            self._lock.release()

    def _claim(self, known: int, frame: FrameType, line: int) -> None:
        """Name a line for what others saw first while it ran: they may look before the line that made it is over."""
        for birth in self._births.values():
            if birth.number > known:
                birth.seen.append((stack_of(frame, line), self._looks))

    def audited(self, event: str, arguments: tuple[Any, ...], frame: FrameType) -> None:
        """Note who makes a path: the event comes in every thread, traced or not."""
        path = _new_path(event, arguments)
        if path is not None:
            self._told[path] = _Birth([(stack_of(frame), 0)], path, self.step)

    def thread_started(self, thread: threading.Thread, frame: FrameType) -> None:
        """Note who starts a thread, in every thread as well."""
        self._told[id(thread)] = _Birth([(stack_of(frame), 0)], "", self.step)

    def step_ended(self) -> None:
        """Look for what no line was seen to make."""
        with self._lock:
            self._looks += 1
            self._look(tuple)
            self._here.number = self._number
        self.step += 1

    def _look(self, stack: Callable[[], Stack]) -> bool:
        """Note what is new and forget what is gone; False when somebody else should look again."""
        keys = self.table.keys()
        for key in self._known - keys:
            self._births.pop(key, None)
        # A thread may run before the one that started it looks; it did not make itself.
        itself = keys & {threading.get_native_id()} - self._known if isinstance(self.table, Threads) else frozenset()
        for key in keys - self._known - itself:
            self._number += 1
            self._births[key] = _Birth([(stack(), self._looks)], self.table.identity(key), self.step, self._number)
        self._known = frozenset(key for key in keys if key in self._births or key in self._before)
        return not itself

    def survivors(self) -> Iterator[tuple[Hashable, Stack]]:
        """Yield what was made in a step before the last one and is still there, with its stack."""
        there = self.table.keys()
        births = {key: birth for key, birth in self._births.items() if key in there}
        if isinstance(self.table, Threads):
            told = {thread.native_id: self._told.get(id(thread)) for thread in threading.enumerate()}
            births = {key: told.get(int(str(key))) or birth for key, birth in births.items()}
        elif isinstance(self.table, TemporaryFiles):
            # An event may still be on its way in another thread.
            told_paths = {path: birth for path, birth in self._told.copy().items() if self.table.identity(path)}
            # Others, too, put files into the folder; nobody else raises audit events here.
            births = told_paths or {key: birth for key, birth in births.items() if birth.seen[0][0]}
        # The line that makes them is there each time; what runs beside it is now one line, now another. A line that
        # waits all the while is there each time too, yet it seldom looks first; and it ran once for all that it saw.
        times = Counter(stack for stack, _ in {seen for birth in births.values() for seen in birth.seen})
        first = Counter(birth.seen[0][0] for birth in births.values())
        for key, birth in births.items():
            if birth.step < max(1, self.step - 1):
                same = birth.identity in ("", self.table.identity(key))
                stacks = [stack for stack, _ in birth.seen]
                working = [stack for stack in stacks if not _waits(stack)] or stacks
                yield key, max(working, key=lambda stack: (times[stack], first[stack])) if same else ()


def _waits(stack: Stack) -> bool:
    return bool(stack) and stack[-1][0] == _WAITS_IN and stack[-1][2] != _CALLS_TARGET


def _new_path(event: str, arguments: tuple[Any, ...]) -> str | None:
    """Return the temporary path that is about to be made, None when it is there already or lies elsewhere."""
    path = arguments[_MAKES_PATH[event]]
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # Path would raise more audit events
    temporary = name.startswith((tempfile.gettempdir() + os.sep, "/tmp/", "/var/tmp/", "/dev/shm/"))
    return name if temporary and not os.path.lexists(name) else None


def find_births(rerun: Rerun, metric: str, slope: float, *, collecting: bool) -> tuple[Origin, ...]:
    """Return the lines that made what stays.

    Args:
        rerun: The step.
        metric: One of `TABLES`.
        slope: How many stay with a step, so as to know how many steps show them.
        collecting: Whether garbage is collected before looking at what stays; else the collector is off meanwhile.
    """
    rerun.run(1)
    told = metric == "temp_files"
    found = _watch(rerun, metric, slope, collecting=collecting, looking=not told)
    # Most files are told of by audit events; looking at the folder at each line is slow where it is full.
    return found or (_watch(rerun, metric, slope, collecting=collecting) if told else ())


def _watch(rerun: Rerun, metric: str, slope: float, *, collecting: bool, looking: bool = True) -> tuple[Origin, ...]:
    nursery = Nursery(TABLES[metric]())
    was_on = gc.isenabled()
    if not collecting:
        gc.disable()
    try:
        with ExitStack() as instruments:
            if metric == "temp_files":
                instruments.enter_context(auditing(_MAKES_PATH, nursery.audited))
            if metric == "threads":
                instruments.enter_context(hearing_thread_starts(nursery.thread_started))
            if looking:
                instruments.enter_context(tracing(nursery.line_ended, rerun.over))
            while nursery.step <= steps_that_show(slope) and rerun.run(1):
                nursery.step_ended()
        if collecting:
            collect_all()
        return _origins(nursery, slope)
    finally:
        if was_on:
            gc.enable()


def _origins(nursery: Nursery, slope: float) -> tuple[Origin, ...]:
    groups: dict[Call | None, list[tuple[Hashable, Stack]]] = defaultdict(list)
    for key, stack in nursery.survivors():
        groups[user_call(stack)].append((key, stack))
    ranked = sorted(groups.values(), key=len, reverse=True)
    steps = max(1, nursery.step - 1)
    return tuple(
        origin(nursery.table.describe(group[-1][0]), group[-1][1], len(group) / steps)
        for group in ranked[:MOST_ORIGINS]
        if len(group) >= MIN_SHARE * max(len(ranked[0]), slope * steps)
    )
