"""Hundreds of conversions through HTTP, with hostile files among them: neither server nor slots grow."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http_server import Server, running
from tests.media.hostile import hostile_names, write_hostile
from tests.media.synthetic import Video, write_video
from tightship.core import procfs
from tightship.core.scratch import tree_bytes
from tightship.core.verdict import Kind, verdict

JOBS = int(os.environ.get("TIGHTSHIP_SOAK_JOBS", "50"))
OPTIONS = {"width": 320, "fps": 8}
#: What the server's own process may grow by while what it keeps fills up: receipts, pages of the database, free memory.
FILLING_BYTES = 6_000_000


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_conversions_through_http_are_steady(tmp_path: Path) -> None:
    """Server and slots keep their pids and what they hold, but for what fills up; every healthy video is converted."""
    healthy = write_video(tmp_path / "healthy.mp4", Video(width=1280, height=720, seconds=5 if JOBS >= 500 else 1))
    (tmp_path / "hostile").mkdir()
    kinds = hostile_names()[:: 1 if JOBS >= 500 else 9]
    hostile = [write_hostile(name, tmp_path / "hostile") for name in kinds]
    warm_up = [healthy, *hostile, *hostile, healthy]  # each kind of file brings a decoder of its own once
    with running(tmp_path / "home", store={"result_ttl_s": 2, "max_events": 20}) as server:
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda path: _done(server, path), warm_up))
            before, before_bytes = _held(server), procfs.memory_bytes(server.process.pid)
            work = [hostile[n // 10 % len(hostile)] if n % 10 == 9 else healthy for n in range(JOBS)]
            jobs = list(threads.map(lambda path: _done(server, path), work))
        after, grown_bytes = _held(server), procfs.memory_bytes(server.process.pid) - before_bytes

    good = [job for job, path in zip(jobs, work, strict=True) if path == healthy]
    assert {job["status"] for job in good} == {"succeeded"}
    for what in ("server_threads", "server_fds"):  # idle threads and their connections come and go, within bounds
        assert int(str(after.pop(what))) <= int(str(before.pop(what))) + 4
    assert after == before
    print(f"\nThe server itself grew by {grown_bytes / 1000:.0f} kB in {JOBS} jobs.")
    assert grown_bytes < FILLING_BYTES
    levels = [float(job["receipt"]["base_bytes"] + job["receipt"]["retained_bytes"]) for job in good]
    found = verdict(levels, floor=4096, target=100_000, min_steps=30)
    print(f"{JOBS} jobs: {found.kind}, detectable {found.detectable_slope:.0f} bytes per job. {found.reason}")
    assert found.kind is Kind.STEADY, found.reason
    assert found.detectable_slope <= 100_000
    assert list((tmp_path / "home" / "scratch").iterdir()) == []


def _done(server: Server, path: Path) -> dict[str, Any]:
    """Submit a conversion, coming again while the queue is full, and wait for its end; refused is an end too."""
    response = server.submit("gif", path, OPTIONS)
    if response.status_code != 202:
        assert response.headers["content-type"] == "application/problem+json"
        return {"status": "refused"}
    return server.ended(response.json()["id"])


def _held(server: Server) -> dict[str, object]:
    """Return who is there and what they hold: pids, descriptors and threads of the slots, scratch on disk."""
    slots = sorted(slot["pid"] for slot in server.http.get("/health/memory").json()["slots"])
    return {
        "slots": slots,
        "fds": [procfs.fds(pid) for pid in slots],
        "threads": [procfs.threads(pid) for pid in slots],
        "children": len(procfs.descendants(server.process.pid)),
        "server_threads": procfs.threads(server.process.pid),
        "server_fds": procfs.fds(server.process.pid),
        "scratch_bytes": tree_bytes(server.home / "scratch"),
    }
