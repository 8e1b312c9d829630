"""Store, slots and dispatcher at work together: what is accepted comes to an end, whatever dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.media.hostile import write_hostile
from tests.media.synthetic import Video, write_video
from tightship.core import procfs
from tightship.service import Service, ServiceConfig, open_service
from tightship.store.config import StoreConfig
from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.seat import Seat
from tightship.store.states import Status
from tightship.store.store import Store

from .conftest import HERE, possessions

Eventually = Callable[..., None]
QUICK = StoreConfig(backoff_base_s=0)
#: Of servers that are killed, in seconds: longer than any test, so that what is done at once was not waited for.
LEASE_S = 3600.0


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of video."""
    return write_video(tmp_path_factory.mktemp("media") / "short.mp4", Video(seconds=1))


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that takes seconds to convert."""
    return write_video(tmp_path_factory.mktemp("media") / "long.mp4", Video(width=640, height=360, seconds=10, gop=250))


@pytest.fixture
def service(home: Path) -> Iterator[Service]:
    """A service at work."""
    with open_service(ServiceConfig(home, store=QUICK)) as opened:
        yield opened


def send(store: Store, operation: str, source: Path, options: Mapping[str, Any] | None = None) -> str:
    """Let a copy of a file in; return the job's id."""
    seat = store.reserve_seat(Request(operation, options or {}, source.stat().st_size, source.name))
    assert isinstance(seat, Seat)
    copy = source.with_name(f"copy-{seat.id}")
    shutil.copy(source, copy)
    with seat, store.blobs.put_file(copy) as blob:
        return seat.commit(blob).id


def ended(store: Store, job_id: str, eventually: Eventually, limit_s: float = 60.0) -> JobRecord:
    """Wait for a job's end."""
    eventually(lambda: store.get(job_id).finished_s is not None, f"{job_id} ends", limit_s)
    return store.get(job_id)


def test_jobs_are_done(service: Service, short: Path, eventually: Eventually) -> None:
    """Each operation gives its result, its file where it has one, and a receipt."""
    jobs = {name: send(service.store, name, short) for name in ("gif", "info", "clip")}
    service.dispatcher.ring()

    done = {name: ended(service.store, job, eventually) for name, job in jobs.items()}

    assert {job.status for job in done.values()} == {Status.SUCCEEDED}
    assert {name: job.result_digest is not None for name, job in done.items()} == {
        "gif": True, "info": False, "clip": True
    }  # fmt: skip
    gif = service.store.blobs.path(done["gif"].result_digest or "").read_bytes()
    assert gif[:6] == b"GIF89a"
    assert len(gif) == done["gif"].result_bytes
    assert all(job.receipt is not None and job.receipt.outcome == "ok" and job.attempts == 1 for job in done.values())


def test_bad_input_fails_at_the_look_and_costs_no_attempt(
    service: Service, tmp_path: Path, eventually: Eventually
) -> None:
    """A refusal by the probe is final."""
    job_id = send(service.store, "gif", write_hostile("hls.mp4", tmp_path))
    service.dispatcher.ring()

    job = ended(service.store, job_id, eventually)

    assert (job.status, job.attempts) == (Status.FAILED, 0)
    assert job.error is not None
    assert job.error.code == "unsupported_media"


def test_job_whose_worker_always_dies_is_quarantined(service: Service, long: Path, eventually: Eventually) -> None:
    """Kills count like errors: after the third the job is quarantined with its cause, and the next job runs."""
    job_id = send(service.store, "gif", long)
    service.dispatcher.ring()
    for attempt in (1, 2, 3):
        eventually(lambda attempt=attempt: _is_busy(service, job_id, attempt), f"attempt {attempt} runs")
        os.kill(next(slot.pid for slot in service.pool.slots() if slot.busy), signal.SIGKILL)

    job = ended(service.store, job_id, eventually)

    assert (job.status, job.attempts) == (Status.QUARANTINED, 3)
    assert job.error is not None
    assert job.error.code == "worker_died"
    assert [attempt.cause for attempt in service.store.attempts_of(job_id)] == ["signal 9"] * 3


def test_running_job_is_cancelled_at_once(service: Service, long: Path, eventually: Eventually) -> None:
    """Cancelling frees the slot and leaves no file."""
    job_id = send(service.store, "gif", long)
    service.dispatcher.ring()
    eventually(lambda: _is_busy(service, job_id, 1), "it runs")
    service.store.cancel(job_id)
    service.dispatcher.cancel(job_id)

    job = ended(service.store, job_id, eventually)

    assert (job.status, job.result_digest) == (Status.CANCELLED, None)


def test_stopping_hands_back_what_runs(home: Path, long: Path, eventually: Eventually) -> None:
    """A job that does not end within the grace waits again, its attempt refunded, and no process is left."""
    before = len(procfs.descendants(os.getpid()))
    with open_service(ServiceConfig(home, store=QUICK, drain_s=0.1)) as service:
        job_id = send(service.store, "gif", long)
        service.dispatcher.ring()
        eventually(lambda: _is_busy(service, job_id, 1), "it runs")

    with Store.open(home, QUICK) as store:
        job = store.get(job_id)
    assert (job.status, job.attempts, job.owner) == (Status.PENDING, 0, None)
    assert len(procfs.descendants(os.getpid())) == before
    assert list((home / "scratch").iterdir()) == []


def test_opening_and_closing_leaves_nothing(home: Path, short: Path, eventually: Eventually) -> None:
    """A service that has worked leaves descriptors, threads, children and scratch as they were."""
    with open_service(ServiceConfig(home, store=QUICK)) as service:
        ended(service.store, send(service.store, "gif", short), eventually)
    before = possessions(home)

    with open_service(ServiceConfig(home, store=QUICK)) as service:
        job = send(service.store, "gif", short)
        service.dispatcher.ring()
        ended(service.store, job, eventually)

    assert possessions(home) == before


def test_memory_is_told(service: Service, short: Path, eventually: Eventually) -> None:
    """The account of memory names budget, slots, queue and verdicts."""
    job_id = send(service.store, "gif", short)
    service.dispatcher.ring()
    ended(service.store, job_id, eventually)

    told = service.memory()

    assert told["budget"]["soft_bytes"] < told["budget"]["hard_bytes"]
    assert told["queue"]["succeeded"] == 1
    assert {slot["pid"] for slot in told["slots"]} == {slot.pid for slot in service.pool.slots()}
    assert all(slot["used_bytes"] > 2**20 for slot in told["slots"])
    assert told["verdicts"]["gif"]["kind"] == "undecided"


def test_killed_server_loses_no_job(home: Path, short: Path, long: Path, eventually: Eventually) -> None:
    """SIGKILL in the middle of uploads and jobs, then a new start: every accepted job ends, no half upload stays."""
    with Store.open(home) as store:
        first = _host(home)
        running = send(store, "gif", long)
        waiting = [send(store, "info", short) for _ in range(3)]
        half = subprocess.Popen([sys.executable, "-c", _HALF_UPLOAD, str(home)], stdout=subprocess.PIPE, text=True)
        assert half.stdout is not None
        assert half.stdout.readline() == "half way\n"
        eventually(lambda: store.get(running).status == Status.RUNNING, "the long job runs")
        family = procfs.descendants(first.pid)
        for process in (first, half):
            process.kill()
            process.wait()
        half.stdout.close()
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), "no process is left")

        second = _host(home)
        try:
            jobs = [ended(store, job, eventually) for job in (running, *waiting)]
            eventually(lambda: not list((store.blobs.root / "incoming").iterdir()), "the half upload is gone")
            eventually(lambda: store.counts()[Status.PENDING] == 0, "no seat is kept")
        finally:
            second.kill()
            second.wait()
        assert {job.status for job in jobs} == {Status.SUCCEEDED}
        killed = [attempt for attempt in store.attempts_of(running) if attempt.outcome == "killed"]
        assert [attempt.cause for attempt in killed] == ["parent gone"]
        assert killed[0].receipt is not None
        assert killed[0].receipt.peak_bytes is None


def test_job_of_a_killed_server_is_taken_over_by_the_one_beside_it(
    home: Path, long: Path, eventually: Eventually
) -> None:
    """Both work on one home; the one that lives takes the job over, and nobody waits for the lease."""
    with Store.open(home) as store:
        hosts = {str(host.pid): host for host in (_host(home), _host(home))}
        try:
            job_id = send(store, "gif", long)
            eventually(lambda: store.get(job_id).status == Status.RUNNING, "it runs")
            victim = hosts[str(store.get(job_id).owner).split(".")[1]]
            victim.kill()
            victim.wait()

            job = ended(store, job_id, eventually)
        finally:
            for host in hosts.values():
                host.kill()
                host.wait()
        assert (job.status, job.attempts) == (Status.SUCCEEDED, 2)
        assert [attempt.cause for attempt in store.attempts_of(job_id)] == ["parent gone", None]


_HALF_UPLOAD = """
import sys, signal
from pathlib import Path
from tightship.store.config import StoreConfig
from tightship.store.request import Request
from tightship.store.store import Store
with Store.open(Path(sys.argv[1]), StoreConfig(lease_s=1.0)) as store:
    seat = store.reserve_seat(Request("gif", {}, 10_000_000, "half.mp4"))
    with store.blobs.open_upload(10_000_000) as upload:
        upload.write(b"x" * 5_000_000)
        print("half way", flush=True)
        signal.pause()
"""


def _host(home: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "service_host.py"), str(home), str(LEASE_S)]
    host = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    with host.stdout as out:
        assert out.readline() == "at work\n"
    return host


def _is_busy(service: Service, job_id: str, attempt: int) -> bool:
    job = service.store.get(job_id)
    running = job.status == Status.RUNNING and job.attempts == attempt and job.progress is not None
    return running and any(slot.busy for slot in service.pool.slots())
