"""Transcription after transcription in one warm slot: nothing grows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.media.sounds import samples_of, write_wav
from tightship.core import procfs
from tightship.core.verdict import Kind, verdict
from tightship.pool.config import PoolConfig
from tightship.pool.pool import Pool
from tightship.runner import Runner

from .conftest import possessions
from .test_soak import JOBS, NO_RECYCLING

#: Transcriptions of the long form, and of the small one, which can tell a gross leak only.
LONG, SMALL = 200, 6
#: Bytes that the small form may end above its start: buffers of a model settle within some megabytes.
SMALL_GROWTH_BYTES = 16 * 2**20
#: Seconds of each clip; every one is of another length.
CLIPS_S = (4, 5, 6, 7, 8, 9, 10)


@pytest.fixture
def clips(data: Path, tmp_path: Path) -> list[Path]:
    """Short pieces of real speech."""
    speech = samples_of(data / "speech" / "lj_printing.flac")
    ends = np.cumsum(CLIPS_S) * 16_000
    pieces = np.split(speech[: ends[-1]], ends[:-1])
    return [write_wav(tmp_path / f"{number}.wav", piece, 16_000) for number, piece in enumerate(pieces)]


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_transcriptions_in_one_slot_are_steady(clips: list[Path], tmp_path: Path, home: Path, tiny_en: Path) -> None:
    """One process with one loaded model does every job; its settled memory is STEADY, and it holds what it held."""
    jobs = LONG if JOBS >= LONG else SMALL
    options = {"model": str(tiny_en)}
    output = tmp_path / "transcript.json"
    with Pool(PoolConfig(recycling=NO_RECYCLING, idle_s=None), home=home) as pool:
        runner = Runner(pool)
        for clip in clips[-2:]:  # the longest bring every buffer to its size
            assert runner.run("transcribe", clip, output, options).error is None
        (slot,) = (each for each in pool.slots() if each.jobs_done)
        before, slot_before = possessions(home), _held(slot.pid)

        for number in range(jobs):
            job = runner.work("transcribe", clips[number % len(clips)], output, options, {})
            assert job.error is None
            assert (job.result or {})["text"]

        settled = [
            float((receipt.base_bytes or 0) + (receipt.retained_bytes or 0))
            for receipt in pool.ledger.receipts("transcribe")[-jobs:]
        ]
        found = verdict(settled, floor=4096, target=100_000, min_steps=30)
        print(f"\n{jobs} transcriptions in slot {slot.pid}: {found.kind}. {found.reason}")
        assert [each.pid for each in pool.slots() if each.jobs_done >= jobs] == [slot.pid]
        assert _held(slot.pid) == slot_before
        after = possessions(home)
        assert after["scratch_bytes"] <= before.pop("scratch_bytes")  # less, where a slot had something to log
        assert after.items() >= before.items()
    assert settled[-1] - settled[0] < SMALL_GROWTH_BYTES
    if jobs == LONG:
        assert found.kind is Kind.STEADY, found.reason
        assert found.detectable_slope <= 100_000


def _held(pid: int) -> tuple[object, ...]:
    return procfs.fds(pid), procfs.threads(pid), procfs.descendants(pid)
