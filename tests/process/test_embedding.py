"""The three functions inside somebody else's program: it stays exactly as it was."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import tightship
from tests.media.hostile import write_hostile
from tests.media.synthetic import Video, write_video
from tightship.core import procfs
from tightship.core.verdict import Kind, verdict

from .conftest import possessions

#: Calls of each run: small in `make test`, full in `make soak`.
CALLS = 200 if "TIGHTSHIP_SOAK_JOBS" in os.environ else 40
BAD = ("cut_in_moov.mp4", "text.mp4", "missing.mp4")


@pytest.fixture
def videos(tmp_path: Path) -> tuple[Path, list[Path]]:
    """A healthy video, and three inputs that fail."""
    bad = [write_hostile(name, tmp_path) for name in BAD[:2]]
    return write_video(tmp_path / "healthy.mp4", Video(seconds=1)), [*bad, tmp_path / BAD[2]]


@pytest.fixture
def functions(tmp_path: Path) -> list[Callable[[Path], tightship.Result]]:
    """The public functions, each taking just an input."""
    return [
        lambda path: tightship.convert_video_to_gif(path, tmp_path / "out.gif", width=64, fps=5),
        tightship.get_video_info,
        lambda path: tightship.extract_video_segment(path, tmp_path / "out.mp4", 0, "0.5 s"),
    ]


@pytest.mark.soak
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_calling_process_stays_as_it_was(
    videos: tuple[Path, list[Path]],
    functions: list[Callable[[Path], tightship.Result]],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Called over and over, one in four on bad input with the exceptions kept: no child, descriptor, thread, file."""
    monkeypatch.setenv("TIGHTSHIP_HOME", str(home))
    healthy, bad = videos
    for function in functions:
        function(healthy)
    before = possessions(home)
    kept: list[tightship.TightshipError] = []
    held_bytes: list[float] = []

    for call in range(CALLS):
        function = functions[call % 3]
        if call % 4 == 3:
            with pytest.raises(tightship.TightshipError) as caught:
                function(bad[call % 3])
            kept.append(caught.value)
        else:
            function(healthy)
        gc.collect()
        held_bytes.append(float(procfs.memory_bytes(os.getpid())))

    assert len(kept) == CALLS // 4
    assert possessions(home) == before
    found = verdict(held_bytes, floor=4096, target=100_000, min_steps=30)
    assert found.kind is Kind.STEADY, found.reason
    assert found.detectable_slope <= 100_000


def test_given_pool_stays_warm(videos: tuple[Path, list[Path]], home: Path) -> None:
    """With a pool of the caller's own, all calls run in one process, bad ones included."""
    healthy, bad = videos
    with tightship.Pool(home=home) as pool:
        tightship.get_video_info(healthy, pool=pool)
        (first,) = pool.slots()
        for path in bad:
            with pytest.raises(tightship.TightshipError):
                tightship.get_video_info(path, pool=pool)
        tightship.get_video_info(healthy, pool=pool)
        (last,) = pool.slots()

    assert last.pid == first.pid
