"""What a person at a terminal sees while a job runs."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import PROGRAM

ESCAPE = b"\x1b"


@pytest.mark.parametrize(("flags", "drawn"), [((), True), (("--json",), True), (("-q",), False)])
def test_bar_is_drawn_on_a_terminal_only_when_wanted(
    environment: dict[str, str], video: Path, tmp_path: Path, flags: tuple[str, ...], drawn: bool
) -> None:
    """The bar goes to the terminal on stderr, never to stdout, and -q leaves it out."""
    terminal, theirs = pty.openpty()
    environment["TERM"] = "xterm"
    with subprocess.Popen(
        [*PROGRAM, "gif", str(video), str(tmp_path / "out.gif"), *flags],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as program:
        os.close(theirs)
        seen = _everything(terminal)
        assert program.stdout is not None
        out = program.stdout.read()

    assert program.returncode == 0
    assert bool(re.search(rb"[0-9-]:[0-9-]{2}:[0-9-]{2}.* left", seen)) == drawn
    assert (ESCAPE in seen) == drawn
    assert ESCAPE not in out


def _everything(terminal: int) -> bytes:
    seen = b""
    try:
        while chunk := os.read(terminal, 65536):
            seen += chunk
    except OSError:  # how Linux reports that nobody holds the other end any more
        pass
    finally:
        os.close(terminal)
    return seen
