"""Many processes at one store, and many of them killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.schema import HEAD
from tightship.store.states import Status
from tightship.store.store import Store

from . import crowd

#: Four times the long soaks' jobs, 2000: these write a few bytes.
JOBS = 4 * int(os.environ.get("TIGHTSHIP_SOAK_JOBS", "50"))
CROWD = Path(crowd.__file__)


def run_crowd(*arguments: str, limit_s: float) -> Any:
    """Run the program of many processes and return what it tells."""
    done = subprocess.run(
        [sys.executable, str(CROWD), *arguments], capture_output=True, text=True, timeout=limit_s, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ask(home: Path, question: str) -> list[Any]:
    """Put a question to the database itself."""
    with closing(sqlite3.connect(home / "tightship.sqlite")) as database:
        return database.execute(question).fetchall()


def every_job(store: Store) -> Iterator[JobRecord]:
    """Yield all jobs, page by page."""
    page = store.newest(limit=200)
    while page:
        yield from page
        page = store.newest(limit=200, after=page[-1].id)


def test_many_open_an_empty_store_at_once(tmp_path: Path) -> None:
    """One of eight processes makes the tables, and all of them can work."""
    statuses = run_crowd("open", str(tmp_path), limit_s=60)

    assert statuses == [0] * crowd.OPENERS
    assert ask(tmp_path, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert ask(tmp_path, "SELECT count(*) FROM jobs") == [(crowd.OPENERS,)]
    assert ask(tmp_path, "PRAGMA journal_mode") == [("wal",)]
    assert ask(tmp_path, "PRAGMA auto_vacuum") == [(2,)]


def test_migration_that_was_killed_is_done_by_the_next(tmp_path: Path) -> None:
    """A process that dies while it migrates holds nobody up and leaves nothing half made."""
    pause = threading.Event().wait
    opening = "import sys, pathlib; from tightship.store.store import Store; print(flush=True); Store.open("
    opening += "pathlib.Path(sys.argv[1])).close()"
    for number in range(6):
        with subprocess.Popen([sys.executable, "-c", opening, str(tmp_path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            pause(0.04 * number)
            process.send_signal(signal.SIGKILL)

    with Store.open(tmp_path) as store:
        assert store.submit(Request("gif", {}, 0)).status is Status.PENDING
    assert ask(tmp_path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_every_job_ends_once_however_often_workers_are_killed(tmp_path: Path) -> None:
    """Every good job is done exactly once, every poison job is quarantined after exactly its attempts."""
    told = run_crowd("work", str(tmp_path), str(JOBS), limit_s=3000)

    with Store.open(tmp_path, crowd.CONFIG) as store:
        jobs = list(every_job(store))
        assert len(jobs) == JOBS
        for job in jobs:
            _check(store, job)
        store.sweep()
        referred = {job.result_digest for job in jobs if job.result_digest}
        assert set(store.blobs.digests()) == referred
        assert list((store.blobs.root / "incoming").iterdir()) == []
    accepted = [line.split()[0] for line in (tmp_path / "accepted").read_text().splitlines()]
    assert len(accepted) == len(set(accepted))
    assert ask(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert told["kills"] >= JOBS // 10
    print(f"\n{JOBS} jobs, {told['kills']} kills, {told['deaths']} deaths of workers")


def _check(store: Store, job: JobRecord) -> None:
    attempts = store.attempts_of(job.id)
    ends = [event.data["status"] for event in store.events_since(job.id, limit=1000) if event.kind == "status"]
    if job.options["poison"]:
        assert (job.status, job.attempts, len(attempts)) == (Status.QUARANTINED, crowd.POISON_ATTEMPTS, 3)
        assert {attempt.cause for attempt in attempts} == {"parent gone"}
        assert ends.count("quarantined") == 1
    else:
        assert job.status is Status.SUCCEEDED, job
        assert ends.count("succeeded") == 1
        assert [attempt.outcome for attempt in attempts].count("ok") == 1
        assert store.blobs.path(str(job.result_digest)).read_text() == f"result of {job.options['number']}"
