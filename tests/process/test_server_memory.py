"""What a server's own process holds: the same after each job and each slot, but for what fills up to a bound."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from tests.media.synthetic import Video, write_video
from tightship import room
from tightship.core import ledger, notices
from tightship.core.history import History
from tightship.core.ledger import Ledger
from tightship.core.peak_share import PeakShares
from tightship.pool import pool as pool_module
from tightship.service import ServiceConfig, open_service
from tightship.store.config import NO_CACHE
from tightship.store.states import Status

from .conftest import MakeTask, OpenPool
from .test_service import QUICK, send

JOBS = int(os.environ.get("TIGHTSHIP_SOAK_JOBS", "200"))
#: A slot that opens and closes takes as long as ten jobs, and its blocks move less.
CYCLES = JOBS // 16
#: What is kept of late, of each kind: full soon, so that only a leak is left to see.
KEPT = 4
#: Parts of a run that are compared.
LEVELS = 3


@pytest.fixture(autouse=True)
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring what is kept of late to its bounds within a few jobs."""
    monkeypatch.setattr(pool_module, "Ledger", lambda: Ledger(KEPT))
    monkeypatch.setattr(ledger, "History", lambda: History(KEPT))
    monkeypatch.setattr(room, "PeakShares", lambda: PeakShares(KEPT))
    monkeypatch.setattr(notices, "REMEMBERED", KEPT)


def growth(step: Callable[[], object], times: int) -> float:
    """Return by how many blocks of Python's allocator this process grows with a step; all is warm after twice `KEPT`.

    A level is the least of many looks: after others a thread may be at work. Of the steps from level to level the least
    counts: a leak is in all of them, what is made for once is not.
    Blocks are counted exactly, whatever memory costs: one object that is kept, however small, is one block or more.
    """
    for _ in range(2 * KEPT):
        step()
    gc.collect()
    gc.freeze()  # what is there already need not be looked through after every step
    levels = []
    try:
        for _ in range(LEVELS):
            found = []
            for _ in range(times // LEVELS):
                step()
                gc.collect()
                found.append(sys.getallocatedblocks())
            levels.append(min(found))
    finally:
        gc.unfreeze()
    grown = min(after - before for before, after in pairwise(levels)) / (times // LEVELS)
    print(f"\n{times} times: {grown:.2f} blocks for each, levels {levels}")
    return grown


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_slots_that_come_and_go_leave_nothing(open_pool: OpenPool, misdeed: MakeTask) -> None:
    """To open a slot and a session in it, to work and to close both, leaves no block in the parent."""
    pool = open_pool(idle_s=None)
    task = misdeed("nothing", session="model")

    def cycle() -> None:
        assert pool.run(task).error is None
        (slot,) = pool.slots()
        assert pool.recycle(slot.pid)

    assert growth(cycle, CYCLES) < 0.5


@pytest.mark.soak
@pytest.mark.alone
@pytest.mark.timeout(3600)
def test_jobs_leave_nothing(home: Path, tmp_path: Path) -> None:
    """A job that was let in, looked at, done and written down leaves no block in the process that serves it."""
    short = write_video(tmp_path / "short.mp4", Video(seconds=1))
    with open_service(ServiceConfig(home, store=QUICK, cache=NO_CACHE)) as service:

        def job() -> None:
            job_id = send(service.store, "info", short)
            service.dispatcher.ring()
            assert service.dispatcher.wait(job_id, 60).status is Status.SUCCEEDED

        with ThreadPoolExecutor(6) as clients:  # every connection there may be is opened, every statement made
            for done in [clients.submit(job) for _ in range(30)]:
                done.result()
        assert growth(job, JOBS) < 2.0  # between two looks caches move by some 60 blocks; the least leak is over 3
