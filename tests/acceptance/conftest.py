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

import numpy as np
import pytest

from tests.media.sounds import tone, write_wav
from tests.media.synthetic import Video, write_video

PROGRAM = (sys.executable, "-m", "tightship")
#: The program where tightship was installed without extras; pydantic comes with typer.
BARE = (
    sys.executable,
    "-c",
    "import sys; from tightship.errors import EXTRAS\n"
    "sys.modules.update(dict.fromkeys(EXTRAS.keys() - {'annotated_types', 'pydantic'}))\n"
    "from tightship.cli import main; main()",
)


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


@pytest.fixture
def model(tiny_en: Path, environment: dict[str, str]) -> Path:
    """The default model, whatever this machine's settings say."""
    environment["TIGHTSHIP_TRANSCRIBE_MODEL"] = str(tiny_en)
    return tiny_en


@pytest.fixture
def beep(tmp_path: Path) -> Path:
    """A sound in which nobody speaks."""
    return write_wav(tmp_path / "beep.wav", tone(2, 16_000).astype(np.float32), 16_000)
