"""Runs a command in an interpreter of its own, so that no case sees what another left behind."""

from __future__ import annotations

import os
import platform
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
#: Ends by itself when whoever started it is gone.
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(20_000))\n"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status (None if the time was up), what it wrote, and how long it took."""

    status: int | None
    output: str
    errors: str
    seconds: float


def run(arguments: list[str], *, limit_s: float, variables: dict[str, str] | None = None) -> Ended:
    """Run a command from the repository's folder, with a temporary folder of its own; leave nothing behind.

    Args:
        arguments: The command.
        limit_s: After so long it is killed.
        variables: Added to the environment.
    """
    with tempfile.TemporaryDirectory(prefix="leaks-", ignore_cleanup_errors=True) as folder:
        own = Path(folder, "own")
        own.mkdir()
        environment = {**os.environ, "TMPDIR": str(own), **(variables or {})}
        output, errors = Path(folder, "output"), Path(folder, "errors")
        started = time.perf_counter()
        with output.open("wb") as stdout, errors.open("wb") as stderr:
            process = subprocess.Popen(
                arguments,
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            in_time = _ends(process.pid, limit_s)
            seconds = time.perf_counter() - started
            # Before it is waited for, so that the number of the group is still its own.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        texts = [path.read_text(errors="replace") for path in (output, errors)]
        return Ended(status if in_time else None, *texts, seconds)


def _ends(pid: int, limit_s: float) -> bool:
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], limit_s)[0])
    finally:
        os.close(descriptor)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many processors busy meanwhile."""
    with ExitStack() as stack:
        for _ in range(processes):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
            stack.callback(process.kill)
        yield


def machine(load: int = 0) -> str:
    """Return one line on the machine, for a table's head."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())
    return (
        f"{model}, {os.cpu_count()} cores, {load} busy processes beside it, load average {os.getloadavg()[1]:.1f}, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, psutil {psutil.__version__}"
    )
