"""Hundreds of conversions in one warm slot, with hostile files among them: nothing grows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.media.hostile import hostile_names, write_hostile
from tests.media.synthetic import Video, write_video
from tightship.core import procfs
from tightship.core.governor import RecyclePolicy
from tightship.core.verdict import Kind, verdict
from tightship.pool.config import PoolConfig
from tightship.pool.pool import Pool
from tightship.runner import Runner

from .conftest import possessions

JOBS = int(os.environ.get("TIGHTSHIP_SOAK_JOBS", "50"))
#: Effectively never.
NO_RECYCLING = RecyclePolicy(max_jobs=10**9, jitter_share=0, growth_bytes=2**50)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_conversions_in_one_slot_are_steady(tmp_path: Path, home: Path) -> None:
    """One process converts every video; its settled memory is STEADY and it ends with what it began with."""
    healthy = write_video(tmp_path / "healthy.mp4", Video(width=1280, height=720, seconds=5 if JOBS >= 500 else 1))
    (tmp_path / "hostile").mkdir()
    kinds = hostile_names()[:: 1 if JOBS >= 500 else 9]
    hostile = [write_hostile(name, tmp_path / "hostile") for name in kinds]
    output = tmp_path / "out.gif"
    options = {"width": 320, "fps": 8}
    with Pool(PoolConfig(recycling=NO_RECYCLING, idle_s=None), home=home) as pool:
        runner = Runner(pool)
        for path in [healthy, *hostile, healthy]:  # each kind of file brings a decoder of its own once
            runner.run("gif", path, output, options)
        warm_up = len(pool.ledger.receipts("gif"))
        (slot,) = pool.slots()
        own_before, slot_before = possessions(home), _held(slot.pid)

        for job in range(JOBS):
            if job % 10 == 9:
                runner.run("gif", hostile[job // 10 % len(hostile)], output, options)
            else:
                assert runner.run("gif", healthy, output, options).error is None

        (last,) = pool.slots()
        settled = [(r.base_bytes or 0) + (r.retained_bytes or 0) for r in pool.ledger.receipts("gif")[warm_up:]]
        found = verdict([float(level) for level in settled], floor=4096, target=100_000, min_steps=30)
        assert last.pid == slot.pid
        assert _held(slot.pid) == slot_before
        assert possessions(home) == own_before
    print(f"\n{JOBS} jobs: {found.kind}, detectable {found.detectable_slope:.0f} bytes per job. {found.reason}")
    assert found.kind is Kind.STEADY, found.reason
    assert found.detectable_slope <= 100_000


def _held(pid: int) -> tuple[object, ...]:
    return procfs.fds(pid), procfs.threads(pid), procfs.descendants(pid)
