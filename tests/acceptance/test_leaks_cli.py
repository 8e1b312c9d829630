"""The leak test as a program: every exit code, and leaks that were planted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import psutil
import pytest

from .conftest import PROGRAM, Cli, Ended

#: Seconds that processes sleep which steps leave behind: numbers that no other run on this machine looks for.
NAP, ORPHAN_NAP, CHILD_NAP = (f"{number}{os.getpid()}" for number in (611, 612, 613))
#: Steps; every line that leaks carries the name of its metric.
SOURCE = f"""\
import os, subprocess, sys, tempfile, threading, time
from pathlib import Path

kept = []

def clean():
    return sum(range(50))

def memory():
    print("a step")
    os.write(1, b"from below")
    kept.append([bytes(range(9))])  # python_blocks

def descriptor():
    kept.append(os.open(os.devnull, os.O_RDONLY))  # fds

def thread():
    leave = threading.Event()
    threading.Thread(target=leave.wait, daemon=True).start()  # threads

def file():
    Path(tempfile.gettempdir(), f"left-{{time.monotonic_ns()}}").touch()  # temp_files

def slow():
    time.sleep(0.2)

def endless():
    Path("began").touch()
    time.sleep(600)

def connect():
    return []

def hold(connection):
    connection.append([bytes(range(9))])  # held

def forget(connection):
    Path("forgotten").write_text(str(len(connection)))

def leaver():
    os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "{CHILD_NAP}")  # descendants
    subprocess.run(["sh", "-c", "sleep {ORPHAN_NAP} >/dev/null 2>&1 &"])

def fail():
    raise KeyError("a key")
"""
TEST = """\
import pytest

kept = []

@pytest.fixture
def leaky():
    kept.append(open(__file__))  # fds
    yield

def test_leak(leaky):
    pass

@pytest.mark.parametrize("number", [1, 2])
def test_many(number):
    pass

def test_fail():
    assert 1 == 2
"""
#: A server that keeps a descriptor for each request, and goes away with whoever started it.
SERVER = """\
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        os.open(os.devnull, os.O_RDONLY)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_): pass

server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
#: A process that opens a descriptor again and again.
HOLDER = """\
import os, time
print("ready", flush=True)
while True:
    os.open(os.devnull, os.O_RDONLY)
    time.sleep(0.05)
"""


@pytest.fixture(autouse=True)
def desk(tmp_path: Path) -> Path:
    """The current folder, with the steps in it."""
    (tmp_path / "steps.py").write_text(SOURCE)
    (tmp_path / "test_steps.py").write_text(TEST)
    return tmp_path


@pytest.fixture
def start() -> Iterator[Callable[[str], tuple[int, str]]]:
    """Start a program and return its process and the first line that it prints."""
    started: list[subprocess.Popen[str]] = []

    def start(source: str) -> tuple[int, str]:
        process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process.pid, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def line_of(metric: str, source: str = SOURCE) -> int:
    """Return the line that leaks."""
    return next(n for n, line in enumerate(source.splitlines(), 1) if line.endswith(f"# {metric}"))


def series(done: Ended) -> dict[str, dict[str, Any]]:
    """Return the series by metric."""
    return {each["metric"]: each for each in done.json()["series"]}


def test_steady_step_exits_with_0(cli: Cli) -> None:
    """A step that leaves nothing is steady, in one object with the fields that are promised."""
    done = cli("leaks", "run", "steps:clean", "--json")

    assert (done.code, done.err) == (0, "")
    found = done.json()
    assert found["verdict"] == "steady"
    assert found["steps"] > 100
    assert found["findings"] == []
    assert {"metric", "verdict", "slope", "interval", "detectable_slope", "unit", "reason", "where"} <= set(
        found["series"][0]
    )


def test_leak_exits_with_1_and_reaches_every_report(cli: Cli, desk: Path) -> None:
    """One run, every report: words on stdout, a page, JUnit and annotations."""
    done = cli("leaks", "run", "steps:descriptor", "--html", "l.html", "--junit", "l.xml", "--github", "--seed", 1)

    place = f"{desk / 'steps.py'}:{line_of('fds')}"
    assert done.code == 1, done.out
    assert done.out.startswith("GROWING  steps:descriptor: ")
    assert f"from {place}" in done.out
    assert f"::error title=Leak,file=steps.py,line={line_of('fds')}::" in done.out
    assert place in (desk / "l.html").read_text()
    assert place in "".join(ET.parse(desk / "l.xml").getroot().itertext())


def test_what_the_step_prints_leaves_stdout_alone(cli: Cli) -> None:
    """With --json stdout is one object, whatever the step writes, also to the descriptor itself."""
    done = cli("leaks", "run", "steps:memory", "--json")

    assert done.code == 1, done.out
    assert series(done)["python_blocks"]["verdict"] == "growing"
    assert series(done)["python_blocks"]["where"][0]["line"] == line_of("python_blocks")
    assert "a step\n" in done.err
    assert "from below" in done.err


@pytest.mark.parametrize(("step", "metric"), [("thread", "threads"), ("file", "temp_files")])
def test_planted_leak_is_found_at_its_line(cli: Cli, step: str, metric: str, environment: dict[str, str]) -> None:
    """Each kind of resource is told with the line that made it."""
    environment["TMPDIR"] = str(Path(environment["TIGHTSHIP_HOME"]).parent)

    done = cli("leaks", "run", f"steps:{step}", "--json")

    assert done.code == 1, done.out
    assert series(done)[metric]["where"][0]["line"] == line_of(metric)


def test_setup_and_teardown_share_what_was_set_up(cli: Cli, desk: Path) -> None:
    """The step gets what `--setup` returned, and so does `--teardown`."""
    done = cli(
        "leaks", "run", "steps:hold", "--setup", "steps:connect", "--teardown", "steps:forget", "--json", "--no-where"
    )

    assert done.code == 1, done.out
    assert int((desk / "forgotten").read_text()) >= 100


def test_too_few_steps_are_undecided(cli: Cli) -> None:
    """A budget that is too short gives no verdict, and exits with 4."""
    done = cli("leaks", "run", "steps:slow", "--budget", "1 s", "--json")

    assert done.code == 4, done.out
    assert done.json()["verdict"] == "undecided"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "nowhere:work"), "there is no module nowhere"),
        (("run", "steps:claen"), "did you mean clean?"),
        (("run",), "say what to run"),
        (("run", "steps:clean", "--floor", "fds=few"), "is no METRIC=N"),
        (("run", "steps:clean", "--budget", "soon"), "is not a duration"),
        (("run", "test_steps.py::test_many"), "names 2 tests"),
        (("run", "--", "no-such-program"), "there is no program"),
        (("pid", 2**22 + 1), "there is no process"),
    ],
)
def test_wrong_usage_exits_with_2(cli: Cli, arguments: tuple[object, ...], words: str) -> None:
    """What is not there, or cannot be read, is told in one line."""
    done = cli("leaks", *arguments)

    assert done.code == 2, done.out
    assert words in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("steps:fail",), f"step 1 failed: KeyError: 'a key' (steps.py:{len(SOURCE.splitlines())})"),
        (("test_steps.py::test_fail",), "assert 1 == 2 (test_steps.py:"),
        (("--", "sh", "-c", "echo the cause; exit 3"), "exited with 3: the cause"),
    ],
)
def test_failing_step_exits_with_5(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    """Its own error is shown in short."""
    done = cli("leaks", "run", *arguments)

    assert done.code == 5, done.out
    assert words in done.err


def test_failing_step_is_told_as_json(cli: Cli) -> None:
    """A program reads the code of the error."""
    done = cli("leaks", "run", "steps:fail", "--json")

    assert (done.code, done.json()["error"]["code"]) == (5, "step_failed")


def test_ctrl_c_exits_with_3(
    environment: dict[str, str], desk: Path, eventually: Callable[[Callable[[], object], str], None]
) -> None:
    """One is enough, in the middle of a step."""
    command = [*PROGRAM, "leaks", "run", "steps:endless", "--json"]
    with subprocess.Popen(command, cwd=desk, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            eventually((desk / "began").exists, "the step has begun")
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()

    assert process.returncode == 3
    assert json.loads(out)["status"] == "cancelled"


def test_fixture_of_a_test_is_part_of_the_step(cli: Cli) -> None:
    """A leak in a fixture shows, at its line."""
    done = cli("leaks", "run", "test_steps.py::test_leak", "--json")

    assert done.code == 1, done.out + done.err
    assert series(done)["fds"]["where"][0]["line"] == line_of("fds", TEST)


def test_command_that_leaves_files_is_growing(cli: Cli) -> None:
    """Its temporary files are counted from outside, and are gone with the trial."""
    done = cli("leaks", "run", "--json", "--", "sh", "-c", 'touch "$TMPDIR/left-$$"')

    assert done.code == 1, done.out
    assert [name for name, each in series(done).items() if each["verdict"] == "growing"] == ["temp_files"]


def test_command_that_leaves_a_process_is_growing(cli: Cli) -> None:
    """An orphan is seen although its parent has gone, and is ended with the trial."""
    done = cli("leaks", "run", "--json", "--", "sh", "-c", f"sleep {NAP} & :")

    assert done.code == 1, done.out
    assert series(done)["descendants"]["verdict"] == "growing"
    assert not [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", NAP]]


def test_processes_that_a_function_leaves_are_ended_with_the_trial(cli: Cli) -> None:
    """Children and orphans alike, after they were reported."""
    done = cli("leaks", "run", "steps:leaver", "--json", "--no-where")

    assert done.code == 1, done.out + done.err
    assert series(done)["descendants"]["verdict"] == "growing"
    commands = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if command in (["sleep", CHILD_NAP], ["sleep", ORPHAN_NAP])]


def test_process_is_watched_from_outside(cli: Cli, start: Callable[[str], tuple[int, str]]) -> None:
    """A process that runs need not be changed."""
    pid, _ = start(HOLDER)

    done = cli("leaks", "pid", pid, "--budget", "20 s", "--json")

    assert done.code == 1, done.out
    assert series(done)["fds"]["verdict"] == "growing"


def test_server_is_found_by_its_url(cli: Cli, start: Callable[[str], tuple[int, str]]) -> None:
    """Each request keeps a descriptor in the process that listens."""
    _, port = start(SERVER)

    done = cli("leaks", "url", f"http://127.0.0.1:{port}/", "--json")

    assert done.code == 1, done.out
    assert round(series(done)["fds"]["slope"], 2) == 1


def test_job_of_ours_is_watched_in_its_slot(cli: Cli, video: Path) -> None:
    """One slot does the job again and again, and holds no more descriptors for it."""
    done = cli("leaks", "job", "info", video, "--ignore", "*rss", "--budget", "15 s", "--json")

    assert done.code in (0, 4), done.out + done.err
    assert done.json()["steps"] >= 1
    assert all(each["verdict"] != "growing" for each in series(done).values())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("gfi", "in.mp4"), 2, "there is no operation 'gfi'"),
        (("info", "in.mp4", "--option", "width"), 2, "is no NAME=VALUE"),
        (("info", "in.mp4"), 5, "in.mp4"),
    ],
)
def test_job_that_cannot_be_done_is_told(cli: Cli, arguments: tuple[str, ...], code: int, words: str) -> None:
    """A wrong name is wrong usage, a job that fails is a step that failed."""
    done = cli("leaks", "job", *arguments)

    assert done.code == code, done.out
    assert words in done.err
