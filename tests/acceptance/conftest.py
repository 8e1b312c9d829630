"""The real program, run as a process in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.media.synthetic import Video, write_video

PROGRAM = (sys.executable, "-m", "tightship")


@dataclass(frozen=True)
class Ended:
    """How the program ended."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Return the one JSON object on stdout."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


Cli = Callable[..., Ended]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder that is not there yet."""
    return tmp_path / "home"


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """The variables that the program runs with."""
    return {**os.environ, "TIGHTSHIP_HOME": str(home), "COLUMNS": "200", "PYTHONWARNINGS": "error"}


@pytest.fixture
def cli(environment: dict[str, str], tmp_path: Path) -> Cli:
    """Run the program with arguments; it never shows a traceback."""

    def run(*arguments: object, program: tuple[str, ...] = PROGRAM) -> Ended:
        done = subprocess.run(
            [*program, *map(str, arguments)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of video."""
    return write_video(tmp_path_factory.mktemp("media") / "in.mp4", Video(seconds=2.0, audio="aac"))


@pytest.fixture(scope="session")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that takes many seconds to turn into a GIF."""
    return write_video(tmp_path_factory.mktemp("media") / "long.mp4", Video(seconds=20.0))
