"""Transcription in a slot: confined, with the model as the slot's session."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media.sounds import write_wav
from tightship.errors import Cancelled
from tightship.inference.resolver import resolve
from tightship.operations import transcribe
from tightship.operations.transcribe import TranscribeOptions
from tightship.pool.deadline import Deadline
from tightship.pool.messages import Partial, Progress
from tightship.pool.pool import Pool
from tightship.pool.task import Task
from tightship.runner import Runner
from tightship.service import Service, ServiceConfig, open_service
from tightship.store.config import StoreConfig
from tightship.store.record import Claim, JobRecord
from tightship.store.states import Status

from .test_service import ended, send


@pytest.fixture
def session(tiny_en: Path) -> str:
    """The key of a session with the real model."""
    return transcribe.session_key(resolve(str(tiny_en)), "cpu")


@pytest.fixture
def minute(data: Path, tmp_path: Path) -> Path:
    """A minute of speech. What is said twice would be taken for a loop, and drawn by chance."""
    from tightship.media.audio import Sound, sound_track
    from tightship.media.guard import open_media

    pieces: list[np.ndarray] = []
    for name in ("sonnet_1.mp3", "jfk.flac"):
        with (data / "speech" / name).open("rb") as file, open_media(file.fileno()) as container:
            pieces += list(Sound(container, sound_track(container)))
    return write_wav(tmp_path / "minute.wav", np.concatenate(pieces), 16_000)


def task(source: Path, session: str, deliver: Path | None = None) -> Task:
    options = asdict(TranscribeOptions())
    return Task("transcribe", transcribe.__name__, options, Deadline(100, 100, 100), source, deliver, session)


def test_a_warm_slot_transcribes_again_and_again(pool: Pool, data: Path, tmp_path: Path, session: str) -> None:
    """The model is loaded once; the second job starts with it, and both bring the same."""
    source = data / "speech" / "jfk.flac"
    partials: list[Partial] = []

    first = pool.run(
        task(source, session, tmp_path / "1.json"),
        on_event=lambda event: partials.append(event) if isinstance(event, Partial) else None,
    )
    second = pool.run(task(source, session, tmp_path / "2.json"))

    assert first.unwrap() == second.unwrap()
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    assert [sent.payload["segment"] for sent in partials] == json.loads((tmp_path / "1.json").read_text())["segments"]
    assert [slot.jobs_done for slot in pool.slots()] == [2]
    assert (first.receipt.fds, first.receipt.threads) == (0, 0)
    assert second.receipt.peak_bytes is not None
    assert second.receipt.peak_bytes < 350e6


def test_a_cancel_ends_it_between_windows(pool: Pool, data: Path, session: str) -> None:
    """The slot stops at the next report of progress."""
    cancel = threading.Event()

    def on_event(event: object) -> None:
        if isinstance(event, Progress):
            cancel.set()

    outcome = pool.run(task(data / "speech" / "lj_printing.flac", session), on_event=on_event, cancel=cancel)

    assert isinstance(outcome.error, Cancelled)


def test_a_model_outside_of_pythons_folders_can_be_read_and_is_kept(
    pool: Pool, data: Path, tmp_path: Path, tiny_en: Path
) -> None:
    """The runner opens the model's folder to the slot that is for it, and the next job finds it loaded."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_en, folder)
    runner = Runner(pool)

    def transcript(name: str) -> str:
        job = runner.work(
            "transcribe", data / "speech" / "jfk.flac", tmp_path / name, {"model": str(folder), "format": "text"}, {}
        )
        assert job.error is None
        return (tmp_path / name).read_text()

    first = transcript("1.txt")
    (slot,) = pool.slots()
    again = transcript("2.txt")

    assert "ask what you can do for your country" in first
    assert first == again
    assert [(one.pid, one.jobs_done) for one in pool.slots()] == [(slot.pid, 2)]


def test_a_worker_killed_in_the_middle_is_made_up_for(
    home: Path, minute: Path, tiny_en: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    """The job is tried again, and its transcript is the one that an undisturbed job gets."""
    monkeypatch.setenv("TIGHTSHIP_TRANSCRIBE_MODEL", str(tiny_en))
    options = {"batch_size": 1, "format": "text"}
    killed: list[int] = []
    with open_service(ServiceConfig(home, store=StoreConfig(backoff_base_s=0))) as service:
        store = service.store
        keep = store.append_partial

        def kill_at_the_first(claim: Claim, *parts: Mapping[str, Any], wait_s: float | None = None) -> None:
            keep(claim, *parts, wait_s=wait_s)
            if not killed:
                killed.extend(slot.pid for slot in service.pool.slots() if slot.busy)
                os.kill(killed[0], signal.SIGKILL)

        monkeypatch.setattr(store, "append_partial", kill_at_the_first)
        job, other = (_transcribed(service, minute, options, eventually) for _ in range(2))

    assert len(killed) == 1
    assert (job.status, job.attempts) == (Status.SUCCEEDED, 2)
    assert (other.status, other.attempts) == (Status.SUCCEEDED, 1)
    assert job.result_digest == other.result_digest
    assert "ask what you can do for your country" in (job.result or {})["text"].lower()


def _transcribed(
    service: Service, source: Path, options: Mapping[str, Any], eventually: Callable[..., None]
) -> JobRecord:
    job = send(service.store, "transcribe", source, options)
    service.dispatcher.ring()
    return ended(service.store, job, eventually, 100.0)
