"""What outlives a killed warden is found by its mark."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tightship.pool import remnant
from tightship.pool.remnant import MARK, end_remnants


def test_only_what_bears_the_mark_of_the_pool_is_ended(tmp_path: Path) -> None:
    """Processes of another pool, and all others, are left alone; where there is nothing, nothing happens."""
    folders = [str(tmp_path / "this"), str(tmp_path / "other")]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", "print(); input()"],
            env={**os.environ, MARK: folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        for folder in folders
    ]
    try:
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()

        end_remnants(tmp_path / "this")
        end_remnants(tmp_path / "nothing")

        assert started[0].wait(60) == -signal.SIGKILL
        assert started[1].poll() is None
    finally:
        for process in started:
            process.kill()
            process.communicate()


def test_number_that_is_anothers_by_now_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at a process and its end it may have gone, and its number been given away."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        looks = [[stranger.pid], []]
        monkeypatch.setattr(remnant, "carriers", lambda _: looks.pop(0))

        end_remnants(tmp_path)

        stranger.communicate(b"\n")
    assert stranger.returncode == 0


def test_folder_need_not_be_named_in_utf_8(tmp_path: Path) -> None:
    """A name is any bytes; what bears it as its mark is found."""
    folder = tmp_path / os.fsdecode(b"\xff")
    with subprocess.Popen(
        [sys.executable, "-c", "print(); input()"],
        env={**os.environ, MARK: str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            end_remnants(folder)
        finally:
            process.communicate(b"\n")
    assert process.returncode == -signal.SIGKILL
