"""A trial of real steps: what leaks is found, what does not is left alone."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tightship.core import procfs
from tightship.core.verdict import Kind
from tightship.errors import InvalidOptions
from tightship.leaks import Report, trial
from tightship.leaks.fault import StepFailed, StepNotFound
from tightship.leaks.gauge import NativeHeap

pytestmark = pytest.mark.skipif(not procfs.available(), reason="there is no /proc")

#: A child that keeps a megabyte for each line it reads, and answers.
GROWING_CHILD = "import sys; kept = []\nfor _ in sys.stdin: kept.append(bytearray(b'x' * 2**20)); print(flush=True)"


def tried(step: Callable[..., Any] | None, **options: Any) -> Report:
    return trial(step, **{"seed": 1, "where": False, **options})


def kinds(report: Report) -> dict[str, Kind]:
    return {series.metric: series.verdict for series in report.series}


def tells(report: Report) -> str:
    """Return what a failing test should show."""
    return json.dumps({s["metric"]: s["reason"] for s in report.to_dict()["series"] if s["verdict"] != "steady"})


def nothing() -> None:
    """Do nothing."""


# --- verdicts ---------------------------------------------------------------------------------------------


def test_an_empty_step_is_steady() -> None:
    """In every metric, and the instrument has left nothing behind."""
    report = tried(nothing)
    assert report.verdict is Kind.STEADY, tells(report)
    assert set(kinds(report).values()) == {Kind.STEADY}
    assert report.findings == ()
    assert report.steps > 100
    assert gc.get_freeze_count() == 0


def test_one_object_kept_in_each_step_is_found() -> None:
    """Small Python objects are exact to the block."""
    kept: list[object] = []
    report = tried(lambda: kept.append(object()))
    assert kinds(report)["python_blocks"] is Kind.GROWING, tells(report)
    assert report.findings[0].code == "leak"


def test_what_does_not_grow_beside_a_leak_is_steady() -> None:
    """A clear leak ends the trial early, and says no less of the others."""
    kept: list[object] = []
    report = tried(lambda: kept.append(object()))
    assert {kinds(report)[metric] for metric in ("fds", "threads", "descendants")} == {Kind.STEADY}, tells(report)


def test_a_failing_call_that_keeps_its_error_is_found() -> None:
    """The exception path, one step in 25; four blocks a step are more than a trial of few steps may miss."""
    kept: list[BaseException] = []
    calls = [0]

    def step() -> None:
        calls[0] += 1
        try:
            if calls[0] % 25 == 0:
                raise ValueError([object() for _ in range(100)])
        except ValueError as error:
            kept.append(error)

    report = tried(step)
    assert kinds(report)["python_blocks"] is Kind.GROWING, tells(report)


@pytest.mark.skipif(NativeHeap.open() is None, reason="malloc is not glibc's")
def test_200_native_bytes_a_step_are_found() -> None:
    """No Python object knows of them."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    report = tried(lambda: libc.malloc(ctypes.c_size_t(200)))
    (series,) = [series for series in report.series if series.metric == "native_heap"]
    assert series.verdict is Kind.GROWING, tells(report)
    assert 200 <= series.slope <= 260


def test_a_cache_that_is_full_after_400_steps_is_steady() -> None:
    """It grew, and then it did not."""
    cache: dict[int, bytes] = {}

    def step() -> None:
        if len(cache) < 400:
            cache[len(cache)] = bytes(100)

    report = tried(step)
    assert report.verdict is Kind.STEADY, tells(report)


def test_cycles_are_a_warning() -> None:
    """The collector frees them, and nothing else does."""

    def step() -> None:
        cycle: list[object] = [bytearray(20_000)]
        cycle.append(cycle)

    report = tried(step)
    assert report.verdict is Kind.STEADY, tells(report)
    assert {finding.metric for finding in report.findings if finding.code == "gc_only"} >= {"python_blocks"}


def test_descriptors_are_found_and_given_back() -> None:
    """Before they run out."""
    opened: list[int] = []
    try:
        report = tried(lambda: opened.append(os.open(os.devnull, os.O_RDONLY)))
        assert kinds(report)["fds"] is Kind.GROWING, tells(report)
    finally:
        for descriptor in opened:
            os.close(descriptor)


def test_files_that_stay_are_found(tmp_path: Path) -> None:
    """One in each step."""
    numbers = itertools.count()

    def step() -> None:
        (tmp_path / str(next(numbers))).touch()

    report = tried(step)
    assert kinds(report)["temp_files"] is Kind.GROWING, tells(report)
    assert kinds(report)["fds"] is not Kind.GROWING


def test_threads_that_never_end_are_found() -> None:
    """And threads that were joined are not."""
    end = threading.Event()

    def leak() -> None:
        threading.Thread(target=end.wait, daemon=True).start()

    def joined() -> None:
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()

    try:
        report = tried(leak)
        assert kinds(report)["threads"] is Kind.GROWING, tells(report)
    finally:
        end.set()
    assert kinds(tried(joined))["threads"] is Kind.STEADY


def test_tasks_that_never_end_are_found() -> None:
    """In the one loop that all steps share."""
    kept = []

    async def step() -> None:
        kept.append(asyncio.create_task(asyncio.Event().wait()))

    report = tried(step)
    assert kinds(report)["asyncio_tasks"] is Kind.GROWING, tells(report)


@pytest.fixture
def growing_child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", GROWING_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        yield child
        child.kill()


def asking(child: subprocess.Popen[bytes]) -> Callable[[], None]:
    def step() -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()

    return step


def test_a_leak_in_a_child_is_found(growing_child: subprocess.Popen[bytes]) -> None:
    """A megabyte with each request; the guard ends the trial."""
    report = tried(asking(growing_child))
    assert kinds(report)["children_rss"] is Kind.GROWING, tells(report)
    assert kinds(report)["rss"] is not Kind.GROWING


def test_a_leak_in_another_process_is_found_from_outside(growing_child: subprocess.Popen[bytes]) -> None:
    """By its pid; what is inside it cannot be read."""
    report = tried(asking(growing_child), pid=growing_child.pid)
    assert kinds(report)["rss"] is Kind.GROWING, tells(report)
    assert "python_blocks" not in kinds(report)
    assert report.unavailable == ()


# --- how it is run ------------------------------------------------------------------------------------------


def test_a_process_can_be_watched_without_a_step() -> None:
    """The budget is used up, unless it is clear before."""
    report = tried(None, pid=os.getpid(), budget=0.5)
    assert report.steps > 1
    assert report.name == f"process {os.getpid()}"


def test_a_slow_step_is_judged_on_what_fits_the_budget() -> None:
    """Growth in every one of two dozen steps needs no more."""
    kept: list[bytearray] = []

    def step() -> None:
        kept.append(bytearray(b"x" * 2**20))
        threading.Event().wait(0.1)  # the step is meant to be slow

    for budget in (3.0, 30.0):  # a machine that is too busy for two dozen steps gets more time for them
        report = tried(step, budget=budget)
        if report.steps >= 24:
            break
    assert report.verdict is Kind.GROWING, tells(report)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="only POSIX has an alarm")
def test_a_step_that_hangs_in_the_search_does_not_hold_up_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict was known before, and is told."""
    monkeypatch.setattr("tightship.leaks.config.LONGEST_SEARCH_S", 0.6)
    monkeypatch.setattr(importlib.import_module("tightship.leaks.trial"), "CUT_OFF_S", 0.1)
    kept, lock = [], threading.Lock()
    lock.acquire()

    def step() -> None:
        kept.append(object())
        if tracemalloc.is_tracing():
            lock.acquire()

    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        report = trial(step, seed=1, ignore=("rss", "native_heap"))
    finally:
        signal.signal(signal.SIGALRM, before)

    assert report.verdict is Kind.GROWING
    assert not tracemalloc.is_tracing()


def test_ignored_metrics_are_not_reported() -> None:
    """And cannot make a trial fail."""
    kept: list[object] = []
    report = tried(lambda: kept.append(object()), ignore=["python_blocks", "rss", "native*"])
    assert report.verdict is not Kind.GROWING
    assert not {"python_blocks", "rss", "native_heap"} & set(kinds(report))


def test_growth_below_the_callers_floor_is_steady() -> None:
    """One block a step does not matter to him."""
    kept: list[object] = []
    report = tried(lambda: kept.append(object()), floor={"python_blocks": 2, "native_heap": 64, "rss": 256})
    assert kinds(report)["python_blocks"] is Kind.STEADY, tells(report)


def test_a_report_says_how_long_and_how_often() -> None:
    """In seconds and steps, and is plain JSON."""
    report = tried(nothing, name="idle")
    assert report.name == "idle"
    assert 0 < report.seconds < 60
    assert json.loads(json.dumps(report.to_dict()))["verdict"] == "steady"


def test_the_heap_is_thawed_when_a_step_fails() -> None:
    """Whatever happens, the collector sees everything again."""
    calls = [0]

    def step() -> None:
        calls[0] += 1
        if calls[0] == 40:
            raise ValueError("no")

    with pytest.raises(StepFailed, match="step 40 failed: ValueError: no"):
        tried(step)
    assert gc.get_freeze_count() == 0


def test_a_watched_process_that_ends_fails_the_trial() -> None:
    """There is nothing more to see."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:

        def step() -> None:
            child.kill()
            child.wait()

        with pytest.raises(StepFailed, match=f"process {child.pid} ended"):
            tried(step, pid=child.pid)


def test_a_process_that_is_not_there_is_told() -> None:
    """Before any step."""
    with pytest.raises(StepNotFound, match="there is no process"):
        tried(nothing, pid=2**22 + 1)


def test_a_trial_of_nothing_is_refused() -> None:
    """A step or a process must be named."""
    with pytest.raises(InvalidOptions):
        tried(None)
