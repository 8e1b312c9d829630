"""Runs another tool on one case in this interpreter: `python -m benchmarks.leaks.peer TOOL CASE SEED`; prints JSON.

Each tool is used as its documentation says, at its own defaults where it has them. Runs in the tools' environment.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import json
import os
import random
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from benchmarks.leaks.corpus import Step, corpus

#: Calls in the body of a test that is traced for leaks, after as many to warm up as the others take.
TRACED_STEPS = 100
#: What one line may keep over these calls: half of the smallest native leak in the corpus.
LIMIT_BYTES = TRACED_STEPS * 100
MEMRAY_TEST = f"""
import pytest
from benchmarks.leaks import peer

@pytest.fixture
def step():
    with peer.prepared({{name!r}}, {{seed}}) as step:
        for _ in range(10):
            step()
        yield step

@pytest.mark.limit_leaks("{LIMIT_BYTES} B")
def test_step(step):
    for _ in range({TRACED_STEPS}):
        step()
"""


@contextmanager
def prepared(name: str, seed: int) -> Iterator[Step]:
    """Enter a case and give its step as a plain function: not every tool here knows the other forms."""
    random.seed(seed)
    with corpus()[name].prepared() as step, asyncio.Runner() as runner:
        yield plain(step, runner)


def plain(step: Step, runner: asyncio.Runner) -> Step:
    """Return the step as a function that runs it to its end."""
    if inspect.iscoroutinefunction(step):
        return lambda: runner.run(step())
    if inspect.isgeneratorfunction(inspect.unwrap(step)):

        def entered() -> None:
            with step():
                pass

        return entered
    return step


def psleak(step: Step, *_: object) -> bool:
    """Say whether psleak's test case fails."""
    tool = importlib.import_module("psleak")
    try:
        tool.MemoryLeakTestCase().execute(step)
    except tool.Error:
        return True
    return False


def leak_assert(step: Step, *_: object) -> bool:
    """Say whether traced memory grows by more than a little with each step."""
    tool = importlib.import_module("leak_assert")
    with tool.LeakTest(iterations=500, warmup=50) as test:
        for _ in test:
            step()
        try:
            test.assert_growth_rate(max=LIMIT_BYTES // TRACED_STEPS)
        except tool.LeakAssertionError:
            return True
    return False


def leak_hunter(step: Step, *_: object) -> bool:
    """Say whether objects or allocations pile up in both windows."""
    tool = importlib.import_module("leak_hunter")
    return bool(tool.measure_growth(step, iterations=TRACED_STEPS, trace_allocations=True).leaked)


def regrtest(step: Step, *_: object) -> bool:
    """Apply the rule of CPython's own tests: five calls to warm up, then four that are compared.

    References and memory blocks leak if each call keeps some, descriptors if any does.
    """
    counters: dict[str, Callable[[], int]] = {
        "blocks": sys.getallocatedblocks,
        "fds": lambda: sum(1 for _ in Path("/proc/self/fd").iterdir()),
    }
    if hasattr(sys, "gettotalrefcount"):
        counters["references"] = sys.gettotalrefcount
    # Numbers kept in a list would be counted as blocks themselves.
    seen = {name: array("q", [0] * 9) for name in counters}
    for call in range(9):
        step()
        gc.collect()
        for name, count in counters.items():
            seen[name][call] = count()
    for name, counts in seen.items():
        gains = [after > before for before, after in pairwise(counts[4:])]
        if any(gains) if name == "fds" else all(gains):
            return True
    return False


def memray(_: Step, name: str, seed: int) -> bool:
    """Say whether a test that loops over the step fails under pytest-memray's marker for leaks."""
    import pytest

    with tempfile.TemporaryDirectory() as folder:
        test = Path(folder, "test_case.py")
        test.write_text(MEMRAY_TEST.format(name=name, seed=seed))
        status = pytest.main(["--memray", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(test)])
    if status > 1:
        raise RuntimeError(f"pytest ended with {status}")
    return status == 1


TOOLS = {
    "psleak": psleak,
    "pytest-memray": memray,
    "leak-assert": leak_assert,
    "python-leak-hunter": leak_hunter,
    "regrtest": regrtest,
}


def main() -> None:
    """Run the tool and print what it said on the last line."""
    tool, name, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if tool == "pytest-memray":
        found = memray(int, name, seed)
    else:
        with prepared(name, seed) as step:
            found = TOOLS[tool](step, name, seed)
    print(f"\n{json.dumps({'leak': found})}", flush=True)
    # The step of a leaking case may have left threads that would keep the interpreter from ending.
    os._exit(0)


if __name__ == "__main__":
    main()
