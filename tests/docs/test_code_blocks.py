"""What the pages show runs as it stands there."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks
from tests.media.synthetic import Video, write_video

#: Seconds after which a command hangs. One that works takes a few, and ten times as long where the machine is busy.
HANGS_S = 250.0
#: Kinds of block that are shown and not run: output, and what prepares the reader's own machine.
SHOWN = ("text", "sh")


@pytest.fixture(scope="session")
def holiday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The video that the pages speak of."""
    video = Video(width=640, height=360, fps=Fraction(25), seconds=8.0, audio="aac")
    return write_video(tmp_path_factory.mktemp("docs") / "holiday.mp4", video)


@pytest.fixture
def desk(holiday: Path, tmp_path: Path) -> Path:
    """A reader's folder: the video is there and nothing else."""
    shutil.copy(holiday, tmp_path / "holiday.mp4")
    return tmp_path


def test_every_block_is_run_or_is_known_to_be_shown_only() -> None:
    """A block in a language that nobody runs would go stale in silence."""
    assert {block.language for block in blocks()} <= {"python", "console", *SHOWN}


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_block_runs(block: Block, desk: Path) -> None:
    """A program copied from a page runs in a folder that holds the video."""
    done = _run([sys.executable, "-W", "error", "-c", block.text], desk)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", blocks("console"), ids=str)
def test_console_block_runs(block: Block, desk: Path) -> None:
    """Every command that a page shows succeeds, in the order in which it stands there."""
    assert block.commands, "a console block shows at least one command"
    for command in block.commands:
        program, *arguments = shlex.split(command)
        assert program == "tightship", f"only our own command is run here, not {program}"
        done = _run([str(Path(sys.executable).parent / program), *arguments], desk)

        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TIGHTSHIP_HOME": str(folder / "home")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANGS_S, check=False
    )
