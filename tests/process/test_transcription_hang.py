"""A transcription that hangs harms nobody but itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from tightship.operations import registry
from tightship.pool.config import PoolConfig
from tightship.runner import RunnerConfig
from tightship.service import ServiceConfig, open_service
from tightship.store.config import StoreConfig
from tightship.store.states import Status

from .conftest import HERE
from .test_service import ended, send

#: Seconds without progress that are granted: what a tiny model gets anyway.
QUIET_S = 10.0
ATTEMPTS = 2


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch, tiny_en: Path) -> None:
    """Let slots transcribe by way of `stuck.py`."""
    operations: Mapping[str, object] = {
        **registry.OPERATIONS,
        "transcribe": replace(registry.OPERATIONS["transcribe"], module="stuck"),
    }
    monkeypatch.setattr(registry, "OPERATIONS", MappingProxyType(operations))
    monkeypatch.setenv("TIGHTSHIP_TRANSCRIBE_MODEL", str(tiny_en))


@pytest.mark.usefixtures("stuck")
def test_what_hangs_is_killed_tried_again_and_quarantined(
    home: Path, data: Path, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    """A decoder and a model that never come back end in quarantine with their cause; the jobs beside them succeed."""
    speech = data / "speech"
    config = ServiceConfig(
        home,
        pool=PoolConfig(slots=3, import_paths=(str(HERE),)),
        runner=RunnerConfig(no_progress_s=QUIET_S),
        store=StoreConfig(max_running=2, max_attempts=ATTEMPTS, backoff_base_s=0),
    )
    # What holds no model's name is the model of the settings; one window at a time, so that the second one comes.
    plans = {
        "decoder": (speech / "sonnet_1.mp3", {"prompt": "decoder"}),
        "good": (speech / "jfk.flac", {"prompt": "A speech."}),
        "model": (speech / "sonnet_2.mp3", {"prompt": "model", "batch_size": 1}),
        "good, too": (speech / "jfk.flac", {"prompt": "A president's speech."}),
    }
    with open_service(config) as service:
        sent = {}
        for name, (source, options) in plans.items():
            copy = Path(shutil.copy(source, tmp_path))
            sent[name] = send(service.store, "transcribe", copy, options)
        service.dispatcher.ring()
        jobs = {name: ended(service.store, job, eventually, 110.0) for name, job in sent.items()}
        causes = {name: [each.cause for each in service.store.attempts_of(job)] for name, job in sent.items()}
        busy = [slot for slot in service.pool.slots() if slot.busy]

    for name in ("decoder", "model"):
        error = jobs[name].error
        assert (jobs[name].status, jobs[name].attempts) == (Status.QUARANTINED, ATTEMPTS)
        assert causes[name] == ["no_progress"] * ATTEMPTS
        assert error is not None
        assert error.code == "no_progress"
        assert "10.0 s" in error.public_message
    for name in ("good", "good, too"):
        assert jobs[name].status is Status.SUCCEEDED
        assert "ask what you can do for your country" in (jobs[name].result or {})["text"].lower()
    assert busy == []
