"""Jobs that the user ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tightship.core import procfs

from .conftest import PROGRAM, Cli

Eventually = Callable[..., None]
Program = subprocess.Popen[str]


@pytest.fixture
def working(
    environment: dict[str, str], long_video: Path, home: Path, tmp_path: Path, eventually: Eventually
) -> Iterator[Program]:
    """The program in the middle of writing a GIF."""
    command = [*PROGRAM, "gif", str(long_video), str(tmp_path / "out.gif"), "--fps", "50", "--quality", "high"]
    with subprocess.Popen(
        [*command, "--json"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        begun = "*/slot-*/attempt-*/out.gif"
        eventually(lambda: any(path.stat().st_size for path in (home / "scratch").glob(begun)), "a GIF has begun", 60.0)
        yield program
        program.kill()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signal_cancels_and_leaves_nothing(
    working: Program, home: Path, tmp_path: Path, eventually: Eventually, signum: int
) -> None:
    """Once asked to stop, the program ends its worker, removes what it had written, and exits with 3."""
    family = {pid: procfs.start_time(pid) for pid in procfs.descendants(working.pid)}

    working.send_signal(signum)
    out, err = working.communicate(timeout=60)

    job = json.loads(out)
    assert (working.returncode, err) == (3, "")
    assert (job["status"], job["error"]["code"], job["result"]) == ("cancelled", "cancelled", None)
    assert job["receipt"]["outcome"] == "cancelled"
    assert not (tmp_path / "out.gif").exists()
    assert list((home / "scratch").iterdir()) == []
    eventually(lambda: not _living(family), "every child has gone")


def test_impatient_user_gets_away_at_once(working: Program, tmp_path: Path, eventually: Eventually) -> None:
    """Ctrl-C again and again, while the worker does not answer: still exit code 3, no child and no partial file."""
    family = {pid: procfs.start_time(pid) for pid in procfs.descendants(working.pid)}
    worker = next(pid for pid in family if procfs.children(pid) == [] and pid not in procfs.children(working.pid))
    os.kill(worker, signal.SIGSTOP)

    def interrupted_until_it_ends() -> bool:
        working.send_signal(signal.SIGINT)
        return working.poll() is not None

    eventually(interrupted_until_it_ends, "the program has ended", 20.0)

    out, _ = working.communicate(timeout=60)
    assert working.returncode == 3
    assert json.loads(out)["status"] == "cancelled"
    assert not (tmp_path / "out.gif").exists()
    eventually(lambda: not _living(family), "every child has gone")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["info", "serve"])
def test_signal_while_the_program_loads_is_told_of(cli: Cli, video: Path, command: str, signum: int) -> None:
    """Who changes their mind within the first tenths of a second gets the exit code and the object all the same."""
    program = _interrupted_at("typer", signum)

    done = cli(command, *([video] if command == "info" else []), "--json", program=program)

    assert (done.code, done.err) == (3, "")
    assert (done.json()["status"], done.json()["operation"]) == ("cancelled", command)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_the_server_loads_stops_it(cli: Cli, signum: int) -> None:
    """What was heard before the server listens for signals itself is not lost: it stops as soon as it can."""
    done = cli("serve", "--port", "0", "--quiet", program=_interrupted_at("uvicorn", signum))

    assert (done.code, done.out, done.err) == (0, "", "")


def _interrupted_at(module: str, signum: int) -> tuple[str, ...]:
    """Return the program that gets a signal when it looks for a module."""
    interrupting = (
        "import os, sys\n"
        "class Interrupter:\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        name == {module!r} and os.kill(os.getpid(), {int(signum)})\n"
        "sys.meta_path.insert(0, Interrupter)\n"
        "from tightship.cli import main; main()"
    )
    return sys.executable, "-c", interrupting


def _living(family: dict[int, int | None]) -> list[int]:
    return [pid for pid, started in family.items() if procfs.is_running(pid, started)]
