"""A shell command as a step: what it leaves behind is counted here."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from tightship.leaks.fault import StepFailed, StepNotFound
from tightship.leaks.leftover import end

#: Letters of the output of a command that failed which are worth repeating.
SHOWN_CHARS = 400
#: Seconds by which a file's time may lie before the clock's: the kernel stamps files with its last tick.
_CLOCK_TICK_S = 0.02
#: prctl(2): orphans of this process become its children, instead of those of init.
_PR_SET_CHILD_SUBREAPER = 36


@contextmanager
def open_command(words: Sequence[str], cwd: Path) -> Iterator[Callable[[], None]]:
    """Yield a step that runs a command and waits for it.

    Its temporary files go to a folder of ours, in which those that stay are seen; processes that it leaves behind
    become children of this one, and are ended after the block. What it prints is kept for the case that it fails.

    Raises:
        StepNotFound: There is no such program.
    """
    program = shutil.which(words[0])
    if program is None:
        raise StepNotFound(f"there is no program {words[0]!r}")
    _adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="tightship-leaks-") as folder, tempfile.TemporaryFile() as output:
        environment = {**os.environ, "TMPDIR": folder}

        def step() -> None:
            began_s = time.time()
            _run(words, program, environment, cwd, output)
            _tell_of_files(folder, began_s - _CLOCK_TICK_S)
            _reap()

        before = set(psutil.Process().children(recursive=True))
        try:
            yield step
        finally:
            end(set(psutil.Process().children(recursive=True)) - before)


def _run(words: Sequence[str], program: str, environment: dict[str, str], cwd: Path, output: IO[bytes]) -> None:
    # A file takes what a child that stays behind prints; a pipe would have to be read until that child ends.
    output.seek(0)
    output.truncate()
    done = subprocess.run(
        words, executable=program, env=environment, cwd=cwd,
        stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False,
    )  # fmt: skip
    if done.returncode:
        output.seek(0)
        said = " ".join(output.read().decode(errors="replace").split())[-SHOWN_CHARS:]
        how = f"died of signal {-done.returncode}" if done.returncode < 0 else f"exited with {done.returncode}"
        raise StepFailed(f"{shlex.join(words)} {how}{f': {said}' if said else ''}", exit_code=done.returncode)


def _tell_of_files(folder: str, since_s: float) -> None:
    """Tell the trial of files that the command has just made: it hears only of those that Python makes in here."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.stat(follow_symlinks=False).st_ctime >= since_s:
                    sys.audit("open", entry.path, "x", os.O_CREAT)


def _adopt_orphans() -> None:
    """Make orphans of the command children of this process, so that they are seen; only Linux can."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap() -> None:
    """Bury adopted processes that have ended: they are no leak."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
