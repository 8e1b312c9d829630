"""The life of a loaded model on a server: loaded once, let go of when idle, unwanted or in the way, all of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.inference.test_resolver import COMMIT
from tightship.core import procfs
from tightship.core.footprint import measure
from tightship.core.governor import Budget, RecyclePolicy
from tightship.core.gpu import device_bytes
from tightship.core.settle import settle
from tightship.errors import ModelBusy, ModelNotFound
from tightship.operations import transcribe
from tightship.operations.transcribe import TranscribeOptions
from tightship.pool.config import PoolConfig
from tightship.service import Service, ServiceConfig, open_service
from tightship.store.config import NO_CACHE, StoreConfig
from tightship.store.record import JobRecord
from tightship.store.states import Status

from .test_service import ended, send

Eventually = Callable[..., None]
Open = Callable[..., AbstractContextManager[Service]]
MIB = 2**20
#: The second model's name: the same files, in the hub's cache.
OTHER = "owner/other"
#: Memory that only a process with a model holds.
WITH_MODEL_BYTES = 64 * MIB
#: `make soak` says how many jobs; each stands for a load and an unload here, 30 at the most.
CYCLES = min(30, int(os.environ.get("TIGHTSHIP_SOAK_JOBS", "40")) // 16)


#: Transcriptions on a GPU, where there is one, after those that bring its buffers to their size.
GPU_JOBS, GPU_FIRST = 50, 5


@pytest.fixture
def speech(data: Path) -> Path:
    """Eleven seconds of speech."""
    return data / "speech" / "jfk.flac"


@pytest.fixture
def open_models(home: Path, tmp_path: Path, tiny_en: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open a service that finds two models."""
    monkeypatch.delenv("TIGHTSHIP_TRANSCRIBE_MODEL", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    cached = tmp_path / "hub" / "models--owner--other"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(COMMIT)
    snapshot = cached / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for file in tiny_en.iterdir():
        (snapshot / file.name).symlink_to(file)

    def opener(budget: Budget | None = None, **pool: Any) -> AbstractContextManager[Service]:
        slots = PoolConfig(slots=3, ceiling_bytes=1000 * MIB, **pool)
        return open_service(
            ServiceConfig(home, slots, store=StoreConfig(backoff_base_s=0), cache=NO_CACHE, budget=budget)
        )

    return opener


def transcribed(service: Service, source: Path, eventually: Eventually, model: str = "tiny.en") -> JobRecord:
    """Have a file transcribed."""
    job_id = send(service.store, "transcribe", source, {"model": model, "format": "text"})
    service.dispatcher.ring()
    job = ended(service.store, job_id, eventually, 100.0)
    assert job.status is Status.SUCCEEDED, job.error
    return job


def loaded(service: Service) -> list[int]:
    """Return the workers that keep a model."""
    return [slot.pid for slot in service.pool.slots() if slot.key is not None]


def heavy() -> list[int]:
    """Return the processes below this one that hold as much as a model takes."""
    return [pid for pid in procfs.descendants(os.getpid()) if procfs.memory_bytes(pid) > WITH_MODEL_BYTES]


def test_an_idle_model_is_unloaded_on_request(
    open_models: Open, speech: Path, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """Its process is gone when the answer comes; an alias does; what is not loaded is no fault, what is unknown is."""
    caplog.set_level(logging.INFO, "tightship")
    with open_models() as service:
        job = transcribed(service, speech, eventually)
        (pid,) = loaded(service)

        assert service.unload_model("whisper-1") == 1
        assert not Path(f"/proc/{pid}").exists()
        assert (loaded(service), heavy()) == ([], [])
        assert service.unload_model("tiny.en") == 0
        with pytest.raises(ModelNotFound):
            service.unload_model("nobody's")

    assert job.receipt is not None
    opening = job.receipt.opening
    assert opening is not None
    assert opening.before_bytes < WITH_MODEL_BYTES < opening.after_bytes <= opening.peak_bytes <= job.receipt.peak_bytes
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if line.startswith("The model tiny.en is loaded: ")] == [
        f"The model tiny.en is loaded: {opening.in_words()}."
    ]
    (unloaded,) = [line for line in told if line.startswith("The model tiny.en is unloaded: its process held ")]
    assert unloaded.endswith(" of memory and is gone (on request).")


def test_a_busy_model_is_not_unloaded_and_not_loaded_twice(
    open_models: Open, data: Path, speech: Path, eventually: Eventually
) -> None:
    """The request is refused for now, the job goes on undisturbed, and the next one finds the same process."""
    with open_models() as service:
        job_id = send(service.store, "transcribe", data / "speech" / "sonnet_1.mp3", {"model": "tiny.en"})
        service.dispatcher.ring()
        eventually(lambda: any(slot.busy and slot.key for slot in service.pool.slots()), "it is at work", 60.0)
        before = loaded(service)

        with pytest.raises(ModelBusy) as refused:
            service.unload_model("tiny.en")

        assert (refused.value.http_status, refused.value.retryable) == (409, True)
        assert loaded(service) == before
        job = ended(service.store, job_id, eventually, 100.0)
        assert (job.status, job.attempts) == (Status.SUCCEEDED, 1)
        second = transcribed(service, speech, eventually)
        assert (loaded(service), heavy()) == (before, before)
        assert second.receipt is not None
        assert second.receipt.opening is None


def test_a_second_copy_wants_a_reservation_of_its_own(open_models: Open, speech: Path, eventually: Eventually) -> None:
    """Two jobs for one model, and a budget for one copy: the second job waits for the first one's process."""
    with open_models(_budget_for_one()) as service:
        most = _most_at_work(service, [("tiny.en", speech)] * 2, eventually)
        assert [slot.jobs_done for slot in service.pool.slots() if slot.key is not None] == [2]

    assert most == (1, 1)


def test_two_models_are_never_loaded_where_the_budget_holds_one(
    open_models: Open, speech: Path, eventually: Eventually
) -> None:
    """The idle one is closed before the other is loaded, and each job gets its own."""
    with open_models(_budget_for_one()) as service:
        turns = [("tiny.en", speech), (OTHER, speech)] * 2
        assert _most_at_work(service, turns, eventually) == (1, 1)


def _budget_for_one() -> Budget:
    """Return a budget that a job's reservation fits in, and not one more idle model."""
    reserved_bytes = transcribe.OPERATION.reservation_bytes(TranscribeOptions(model="tiny.en"), {})
    return Budget(reserved_bytes + 50 * MIB, 2000 * MIB)


def _most_at_work(service: Service, turns: list[tuple[str, Path]], eventually: Eventually) -> tuple[int, int]:
    """Run jobs; return the most slots with a model, and the most processes of a model's size, that were ever seen."""
    most = [0, 0]
    jobs = [send(service.store, "transcribe", file, {"model": model, "format": "text"}) for model, file in turns]
    service.dispatcher.ring()

    def done() -> bool:
        most[:] = max(most[0], len(loaded(service))), max(most[1], len(heavy()))
        return all(service.store.get(job).finished_s is not None for job in jobs)

    eventually(done, "all are done", 200.0)
    assert {service.store.get(job).status for job in jobs} == {Status.SUCCEEDED}
    return most[0], most[1]


def test_an_idle_model_leaves_by_itself(
    open_models: Open, speech: Path, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """After its time without a job the slot is gone, and with it the memory; slots without a model have their own."""
    caplog.set_level(logging.INFO, "tightship")
    with open_models(model_idle_s=1.0, idle_s=None) as service:
        transcribed(service, speech, eventually)
        eventually(lambda: not loaded(service), "the slot is gone", 60.0)

        assert heavy() == []
        assert len(service.pool.slots()) == 1
        assert any("(it was idle)" in record.getMessage() for record in caplog.records)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_loading_and_unloading_leaves_nothing_in_the_server(
    open_models: Open, speech: Path, eventually: Eventually
) -> None:
    """Cycle after cycle the server holds what it held, within 2 MB, and no slot is left."""
    levels: list[int] = []
    with open_models(idle_s=None, recycling=RecyclePolicy(max_jobs=10**6)) as service:
        for _ in range(2 + CYCLES):
            transcribed(service, speech, eventually)
            assert service.unload_model("tiny.en") == 1
            assert (loaded(service), heavy()) == ([], [])
            settle()
            levels.append(measure(tree=False).rss_bytes)
        held = levels[1:]
        assert len(service.pool.slots()) == 1  # the one that looks at inputs

    print(f"\n{CYCLES} cycles: {[round((level - held[0]) / 1000) for level in held]} kB over the start")
    assert abs(held[-1] - held[0]) < 2_000_000


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.skipif(device_bytes() is None, reason="no GPU, or no nvidia-ml-py to ask it: its memory is not tested")
def test_a_gpu_gets_its_memory_back(open_models: Open, speech: Path, eventually: Eventually) -> None:
    """Job after job the device holds the same, and after unloading what it held before loading."""
    before = device_bytes()
    with open_models(idle_s=None, recycling=RecyclePolicy(max_jobs=10**6)) as service:
        held = []
        for _ in range(GPU_FIRST + GPU_JOBS):
            transcribed(service, speech, eventually)
            held.append(device_bytes() or 0)
        assert service.unload_model("tiny.en") == 1
        after = device_bytes()

    print(f"\nGPU memory: {before} before, {held[GPU_FIRST]} to {held[-1]} in {GPU_JOBS} jobs, {after} after")
    assert before is not None
    assert held[GPU_FIRST] > before
    assert max(held[GPU_FIRST:]) == held[GPU_FIRST]
    assert after == before
