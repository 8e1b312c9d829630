"""Pools whose workers can import this folder's misdeeds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tightship.core import procfs
from tightship.core.scratch import tree_bytes
from tightship.pool.config import PoolConfig
from tightship.pool.deadline import Deadline
from tightship.pool.pool import Pool
from tightship.pool.task import Outcome, Task

HERE = Path(__file__).parent

#: Times that something is done to see how soon it happens: other work of the machine may hold up one of them.
TRIES = 3

OpenPool = Callable[..., Pool]
MakeTask = Callable[..., Task]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of its own."""
    return tmp_path / "home"


@pytest.fixture
def open_pool(home: Path) -> Iterator[OpenPool]:
    """Open pools that end with the test."""
    pools: list[Pool] = []

    def opener(**settings: Any) -> Pool:
        config = replace(PoolConfig(import_paths=(str(HERE),), ceiling_bytes=2**30), **settings)
        pools.append(Pool(config, home=home))
        return pools[-1]

    yield opener
    for pool in pools:
        pool.close()


@pytest.fixture
def pool(open_pool: OpenPool) -> Pool:
    """A pool of one slot."""
    return open_pool()


@pytest.fixture
def misdeed() -> MakeTask:
    """Make a task out of the name of a misdeed."""

    def make(deed: str, *, deadline: Deadline | None = None, **rest: Any) -> Task:
        own = ("source", "deliver", "session", "readable", "ceiling_bytes")
        fields = {name: rest.pop(name) for name in own if name in rest}
        return Task(deed, "misdeeds", {"deed": deed, **rest}, deadline or Deadline(60, 60, 60), **fields)

    return make


def soonest(limit_s: float, run: Callable[[], Outcome]) -> Outcome:
    """Return the outcome of the first of a few attempts that took less than the limit, else the last one."""
    for _ in range(TRIES):
        outcome = run()
        if outcome.receipt.wall_s < limit_s:
            break
    return outcome


def possessions(home: Path) -> dict[str, object]:
    """Return what this process holds: descriptors by target, threads, processes, bytes of scratch."""
    pid = os.getpid()
    return {
        "fds": sorted(_target(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()),
        "threads": procfs.threads(pid),
        "children": len(procfs.descendants(pid)),
        "scratch_files": sum(1 for _ in (home / "scratch").rglob("*")),
        "scratch_bytes": tree_bytes(home / "scratch"),
    }


def _target(fd: Path) -> str:
    try:
        return str(fd.readlink()).split(":")[0]
    except OSError:
        return "gone"  # the descriptor that listed the folder
