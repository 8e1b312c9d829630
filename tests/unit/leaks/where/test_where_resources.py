"""Descriptors, threads, children, files and tasks that stay are located at the line that made them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import select
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tightship.core.verdict import Kind
from tightship.leaks.report import Origin, Series
from tightship.leaks.watchdog import Hung
from tightship.leaks.where import locate

LineOf = Callable[[str], int]
MakeSeries = Callable[..., Series]


@pytest.fixture
def kept() -> Iterator[list[object]]:
    """A list for what a step leaks, closed in the end."""
    things: list[object] = []
    yield things
    for thing in things:
        if isinstance(thing, int):
            os.close(thing)
        elif isinstance(thing, subprocess.Popen):
            thing.kill()
            thing.wait()
        elif hasattr(thing, "close"):
            thing.close()
    things.clear()
    gc.collect()


def where(step: Callable[[], object], series: Series, budget_s: float = 20.0) -> Origin:
    return locate(lambda: void(step), [series], budget_s=budget_s, seed=1)[series.metric][0]


def void(step: Callable[[], object]) -> None:
    step()


def test_a_descriptor_is_located_with_its_path(kept: list[object], series: MakeSeries, line_of: LineOf) -> None:
    """A file that is opened and kept is found at its line, other descriptors that come and go are not."""

    def step() -> None:
        with Path(os.devnull).open():
            pass
        kept.append(open(__file__))  # noqa: PTH123, SIM115  # leak: file

    found = where(step, series("fds"))

    assert (found.file, found.line) == (__file__, line_of("file"))
    assert found.what == __file__
    assert found.per_step == pytest.approx(1)
    assert any("step" in call for call in found.stack)


@pytest.mark.parametrize("kind", ["epoll", "dup", "pipe", "eventfd", "sqlite"])
def test_any_kind_of_descriptor_is_located(
    kind: str, kept: list[object], series: MakeSeries, line_of: LineOf, tmp_path: Path
) -> None:
    """No list of functions is behind it: what C code opens is found as well."""
    makers: dict[str, Callable[[], object]] = {
        "epoll": lambda: [kept.append(select.epoll())],  # leak: epoll
        "dup": lambda: [kept.append(os.dup(0))],  # leak: dup
        "pipe": lambda: [kept.extend(os.pipe())],  # leak: pipe
        "eventfd": lambda: [kept.append(os.eventfd(0))],  # leak: eventfd
        "sqlite": lambda: [kept.append(sqlite(tmp_path / "db"))],
    }

    found = where(makers[kind], series("fds", 2.0 if kind == "pipe" else 1.0))

    assert found.line == line_of(kind)


def sqlite(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path)  # leak: sqlite


def test_one_descriptor_in_many_steps_is_located(kept: list[object], series: MakeSeries, line_of: LineOf) -> None:
    """Rare growth gets as many steps as it needs to show."""
    steps = itertools.count(1)

    def step() -> None:
        if next(steps) % 20 == 0:
            kept.append(os.dup(0))  # leak: rare

    found = where(step, series("fds", 0.05))

    assert found.line == line_of("rare")
    assert found.per_step == pytest.approx(0.05, rel=0.3)


def test_a_socket_is_located_with_its_ends(kept: list[object], series: MakeSeries, line_of: LineOf) -> None:
    """A socket is told by its protocol and address; the line is the user's, not the library's."""

    def step() -> None:
        kept.append(socket.create_server(("127.0.0.1", 0)))  # leak: socket

    found = where(step, series("sockets"))

    assert (found.file, found.line) == (__file__, line_of("socket"))
    assert "socket.py" in found.stack[-1]
    assert "TCP 127.0.0.1:" in found.what


def test_a_descriptor_of_another_thread_is_located(kept: list[object], series: MakeSeries, line_of: LineOf) -> None:
    """Threads that are started during a step are watched as well."""

    def work() -> None:
        kept.append(os.dup(0))  # leak: in a thread

    def step() -> None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    found = where(step, series("fds"))

    assert found.line == line_of("in a thread")


def test_a_thread_is_located_with_its_name_and_target(series: MakeSeries, line_of: LineOf) -> None:
    """A thread that never ends is told by its name, what it runs and who started it."""
    stop = threading.Event()

    def step() -> None:
        thread = threading.Thread(target=stop.wait, name="poller", daemon=True)
        thread.start()  # leak: thread

    found = where(step, series("threads"))
    stop.set()

    assert (found.file, found.line) == (__file__, line_of("thread"))
    assert found.what == 'thread "poller" running Event.wait'
    assert found.per_step == pytest.approx(1)


def test_a_pool_that_is_not_shut_down_is_located(kept: list[object], series: MakeSeries, line_of: LineOf) -> None:
    """The line is where the user's code made the library start a thread."""
    pools: list[ThreadPoolExecutor] = []

    def step() -> None:
        pools.append(ThreadPoolExecutor(1))
        pools[-1].submit(int).result()  # leak: pool

    found = where(step, series("threads"))
    for pool in pools:
        pool.shutdown()

    assert found.line == line_of("pool")


def test_a_child_is_located_with_its_command(kept: list[object], series: MakeSeries, line_of: LineOf) -> None:
    """A child process that never ends is told by its command and the line that started it."""

    def step() -> None:
        kept.append(subprocess.Popen(["sleep", "1000"]))  # leak: child

    found = where(step, series("descendants"))

    assert (found.file, found.line) == (__file__, line_of("child"))
    assert found.what.endswith("sleep 1000")


def test_a_temporary_file_is_located_with_its_path(series: MakeSeries, line_of: LineOf, tmp_path: Path) -> None:
    """A file that stays is found; one that is removed again is not."""

    def step() -> None:
        with tempfile.TemporaryDirectory(dir=tmp_path):
            descriptor, _ = tempfile.mkstemp(prefix="stays-", dir=tmp_path)  # leak: temporary file
            os.close(descriptor)

    found = where(step, series("temp_files"))

    assert (found.file, found.line) == (__file__, line_of("temporary file"))
    assert Path(found.what).name.startswith("stays-")
    assert found.per_step == pytest.approx(1)


def test_a_pending_task_is_located_with_what_it_awaits(series: MakeSeries, line_of: LineOf) -> None:
    """A task is found at the line that made it, with the coroutine it is stuck in."""
    loop = asyncio.new_event_loop()
    kept: list[asyncio.Task[None]] = []

    async def stuck() -> None:
        await asyncio.Event().wait()

    async def work() -> None:
        kept.append(asyncio.create_task(stuck()))  # leak: task
        await asyncio.sleep(0)

    found = where(lambda: loop.run_until_complete(work()), series("asyncio_tasks"))
    for task in kept:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*kept, return_exceptions=True))
    loop.close()

    assert (found.file, found.line) == (__file__, line_of("task"))
    assert "stuck" in found.what
    assert "waits in Event.wait" in found.what


def test_what_only_the_collector_closes_is_located(series: MakeSeries, line_of: LineOf) -> None:
    """A descriptor in a cycle is found while the collector is off, and the collector is on again afterwards."""

    class Reader:
        def __init__(self) -> None:
            self.me = self
            self.descriptor = os.dup(0)  # leak: cycle

        def __del__(self) -> None:
            os.close(self.descriptor)

    found = where(lambda: [Reader()][0] and None, series("fds", 0.0, Kind.STEADY))

    assert found.line == line_of("cycle")
    assert gc.isenabled()


def test_a_growing_child_is_named(series: MakeSeries) -> None:
    """Memory of a child is told by its process and its growth."""
    program = "import sys\nkept = []\nfor line in sys.stdin: kept.append(bytearray(200_000)); print(flush=True)"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def step() -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"more\n")
        child.stdin.flush()
        child.stdout.readline()

    with child:
        found = where(step, series("children_rss", 200_000), budget_s=3)
        child.kill()

    assert found.what.startswith(f"process {child.pid}:")
    assert found.per_step == pytest.approx(200_000, rel=0.5)


def test_a_failing_step_keeps_what_is_known(kept: list[object], series: MakeSeries, line_of: LineOf) -> None:
    """The search ends at the error, which is not raised."""
    steps = itertools.count()

    def step() -> None:
        kept.append(os.dup(0))  # leak: until it fails
        if next(steps) == 4:
            raise ValueError

    found = locate(step, [series("fds"), series("threads")], budget_s=20, seed=1)

    assert found["fds"][0].line == line_of("until it fails")
    assert next(steps) == 5


def test_a_search_that_is_cut_off_keeps_what_is_known(kept: list[object], series: MakeSeries, line_of: LineOf) -> None:
    """The caller's alarm ends it as an error of the step does."""
    steps = itertools.count()

    def step() -> None:
        kept.append(os.dup(0))  # leak: until the alarm
        if next(steps) == 20:
            raise Hung

    found = locate(step, [series("fds"), *[series("threads")] * 9], budget_s=30, seed=1)

    assert found["fds"][0].line == line_of("until the alarm")
    assert next(steps) == 21


def test_the_instruments_are_off_afterwards(series: MakeSeries) -> None:
    """Trace functions, tracemalloc and the collector are as they were."""
    names = ("fds", "threads", "temp_files", "asyncio_tasks", "python_blocks", "native_heap")
    before = (sys.gettrace(), threading.gettrace(), gc.isenabled(), gc.get_freeze_count())

    with contextlib.suppress(KeyboardInterrupt):
        locate(lambda: None, [series(name) for name in names], budget_s=2, seed=1)

    import tracemalloc

    assert not tracemalloc.is_tracing()
    assert (sys.gettrace(), threading.gettrace(), gc.isenabled(), gc.get_freeze_count()) == before
