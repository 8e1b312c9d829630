"""Cancelling a job frees all it held within a second."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from tightship.errors import JobNotFound
from tightship.operations import registry
from tightship.operations.operation import Operation
from tightship.pool.config import PoolConfig
from tightship.pool.supervision import log_of
from tightship.service import Service, ServiceConfig, open_service
from tightship.store.record import JobRecord
from tightship.store.request import Request
from tightship.store.states import Status

from .conftest import HERE, TRIES

Eventually = Callable[..., None]
LIMIT_S = 1.0
RESERVED_BYTES = 2**20


@dataclass(frozen=True)
class Deed:
    """What the job does in its slot."""

    deed: str


@pytest.fixture
def service(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service at work that knows the misdeeds."""
    misdeed = Operation(
        name="misdeed",
        summary="Do what no operation should.",
        options=Deed,
        module="misdeeds",
        suffix=lambda _options, _media: None,
        limit_s=lambda _options, _media: 60.0,
        reservation_bytes=lambda _options, _media: RESERVED_BYTES,
    )
    monkeypatch.setattr(registry, "OPERATIONS", MappingProxyType({**registry.OPERATIONS, "misdeed": misdeed}))
    pool = PoolConfig(slots=3, import_paths=(str(HERE),))
    with open_service(ServiceConfig(home, pool=pool)) as opened:
        yield opened


def begin(service: Service, deed: str, eventually: Eventually) -> JobRecord:
    """Let a job in, with an input, and return when it is in the middle of its work."""
    with service.store.blobs.open_upload(100) as upload:
        upload.write(b"its input")
        request = Request("misdeed", {"deed": deed}, 9)
        job = service.store.submit(request, upload.commit(), reservation_bytes=RESERVED_BYTES)
    service.dispatcher.ring(job)
    eventually(lambda: service.store.get(job.id).progress is not None, "it works")
    return job


def cancel(service: Service, job_id: str) -> None:
    """Cancel as the API does."""
    service.store.cancel(job_id)
    service.dispatcher.cancel(job_id)


def cancel_elsewhere(service: Service, job_id: str) -> None:
    """Cancel as another process does, which knows the store alone."""
    service.store.cancel(job_id)


def delete(service: Service, job_id: str) -> None:
    """Remove as the API does."""
    service.store.delete(job_id)
    service.dispatcher.cancel(job_id)


def still_held(service: Service, job_id: str, how: Callable[..., None]) -> list[str]:
    """Return what of a job has not been freed yet."""
    scratch = service.config.home / "scratch"
    try:
        status = service.store.get(job_id).status
    except JobNotFound:
        status = None
    log = log_of(Path()).name
    held = {
        "the job": status is not (None if how is delete else Status.CANCELLED),
        "a slot": any(slot.busy for slot in service.pool.slots()),
        "memory": service.store.load().committed_bytes > 0,
        # Not by `rglob`, which fails over a folder that goes meanwhile.
        "scratch": any(name != log for _, _, names in os.walk(scratch) for name in names),
        # A job that was only cancelled may be tried anew, and needs its input for that.
        "the input": how is delete and any(service.store.blobs.digests()),
    }
    return [name for name, is_held in held.items() if is_held]


@pytest.mark.alone
@pytest.mark.parametrize("deed", ["work_until_told", "litter", "ignore_cancel", "spin_in_c"])
@pytest.mark.parametrize("how", [cancel, cancel_elsewhere, delete])
def test_all_is_free_within_a_second(
    service: Service, eventually: Eventually, deed: str, how: Callable[[Service, str], None]
) -> None:
    """Slot, memory, scratch and, with the job, its input; also of work that does not listen, and never returns from C.

    The best of a few tries counts: one may be held up by what else the machine does.
    """
    took_s = []
    for _ in range(TRIES):
        job = begin(service, deed, eventually)
        asked_s = time.monotonic()
        how(service, job.id)
        eventually(lambda job=job: not still_held(service, job.id, how), "all is free")
        took_s.append(time.monotonic() - asked_s)
        if took_s[-1] <= LIMIT_S:
            break

    assert min(took_s) <= LIMIT_S, took_s


def test_job_that_waits_holds_nothing_once_it_is_removed(home: Path) -> None:
    """Its place is free, and its input gone, when the call returns."""
    with open_service(ServiceConfig(home)) as service:
        service.dispatcher.close(0)
        with service.store.blobs.open_upload(100) as upload:
            upload.write(b"its input")
            waiting = [service.store.submit(Request("info", {}, 9), upload.commit()) for _ in range(2)]

        service.store.cancel(waiting[0].id)
        assert service.store.counts()[Status.PENDING] == 1
        for job in waiting:
            service.store.delete(job.id)

        assert service.store.counts()[Status.PENDING] == 0
        assert list(service.store.blobs.digests()) == []
