"""Ending real children, with all they started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tightship.core import child, procfs
from tightship.core.child import Child
from tightship.errors import ReleaseFailed

pytestmark = pytest.mark.skipif(not procfs.available(), reason="needs Linux's /proc")

IGNORE_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
WAIT = "import time; time.sleep(300)"
#: Starts another Python in a session of its own, tells its pid, and goes on.
SETSID = f"""
import subprocess, sys
grandchild = subprocess.Popen([sys.executable, '-c', {WAIT!r}], start_new_session=True)
print(grandchild.pid, flush=True)
"""


@pytest.fixture
def start():
    """Start children; those that a failed test leaves are killed."""
    started: list[Child] = []

    def begin(program: str, **options: object) -> Child:
        pipes = {"stdout": subprocess.PIPE, "text": True, **options}
        started.append(Child([sys.executable, "-c", program], pipes))
        return started[-1]

    yield begin
    for each in started:
        each.end(0)


def told_pid(process: Child) -> int:
    """Return the pid that the child prints."""
    return int(process.process.stdout.readline())


def test_an_obedient_child_ends_by_sigterm(start):
    """SIGTERM is enough: no waiting out the grace, no SIGKILL."""
    process = start(WAIT)
    started_s = time.monotonic()
    process.end(60)
    assert process.process.returncode == -15
    assert time.monotonic() - started_s < 30


def test_a_stubborn_child_ends_by_sigkill(start):
    """Who ignores SIGTERM is killed after the grace."""
    process = start(f"{IGNORE_TERM}; print(1, flush=True); {WAIT}")
    told_pid(process)
    process.end(0.05)
    assert process.process.returncode == -9


def test_a_child_gets_time_to_finish(start):
    """Within the grace, a child ends as it wants to."""
    program = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print(1, flush=True)"
    process = start(f"{program}; {WAIT}")
    told_pid(process)
    process.end(60)
    assert process.process.returncode == 7


def test_a_child_that_has_ended_is_only_reaped(start):
    """Nothing to kill; the exit status is kept."""
    process = start("raise SystemExit(3)")
    process.process.wait()
    process.end(60)
    assert process.process.returncode == 3


def test_a_grandchild_in_another_session_ends_too(start):
    """Its session hides it from the group's signal; it is found as a descendant."""
    process = start(SETSID + WAIT)
    grandchild = told_pid(process)
    process.end(1)
    assert not procfs.is_running(grandchild, procfs.start_time(grandchild))


def test_a_daemon_whose_parent_has_ended_is_found_by_its_mark(start):
    """No parent, no session and no group ties it to us; the environment does."""
    process = start(SETSID)
    grandchild = told_pid(process)
    process.process.wait()
    process.end(1)
    assert not procfs.is_running(grandchild, procfs.start_time(grandchild))


def test_an_orphan_without_the_mark_is_found_by_its_session(start):
    """It was started with a clean environment, but stayed in the session."""
    process = start(SETSID.replace("start_new_session=True", "env={}"))
    grandchild = told_pid(process)
    process.process.wait()
    process.end(1)
    assert not procfs.is_running(grandchild, procfs.start_time(grandchild))


def test_what_starts_while_all_is_ended_does_not_get_away(start):
    """A child that answers SIGTERM by starting another, in a new session, is not ahead of us."""
    program = f"""
import signal, subprocess, sys, time
def answer(*_):
    subprocess.Popen([sys.executable, '-c', {WAIT!r}], start_new_session=True)
signal.signal(signal.SIGTERM, answer)
print(1, flush=True)
while True:
    time.sleep(300)
"""
    process = start(program)
    told_pid(process)
    process.end(0.3)
    assert procfs.carriers(process._mark) == []


def test_families_nest(start):
    """A child that runs under two marks is found by either."""
    outer = {**os.environ, "TIGHTSHIP_FAMILY_OUTER": "1"}
    process = start(f"print(1, flush=True); {WAIT}", env=outer)
    told_pid(process)
    assert procfs.carriers("TIGHTSHIP_FAMILY_OUTER=1") == [process.process.pid]
    assert procfs.carriers(process._mark) == [process.process.pid]


def test_a_given_environment_is_kept(start):
    """The mark is added to the environment that was asked for, and nothing else."""
    process = start("import os; print(sorted(name for name in os.environ if name != 'LC_CTYPE'))", env={"A": "1"})
    names = process.process.stdout.read()
    assert "'A', 'TIGHTSHIP_FAMILY_" in names
    assert "PATH" not in names


def test_pipes_are_closed(start):
    """The descriptors of the pipes are given back, unread output and unwritten input or not."""
    before = procfs.fds(os.getpid())
    process = start(WAIT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.process.stdin.write("never read")
    process.end(60)
    assert procfs.fds(os.getpid()) == before


def test_what_cannot_be_killed_is_told(start, monkeypatch):
    """A process that stays is an error that names it."""
    process = start(WAIT)
    with monkeypatch.context() as patch:
        patch.setattr(child, "_KILL_S", 0.02)
        patch.setattr(Child, "_signal", lambda self, family, number: None)
        with pytest.raises(ReleaseFailed, match=str(process.process.pid)) as caught:
            process.end(0)
    assert caught.value.details == {"processes": 1}


def test_another_process_under_the_old_number_is_left_alone(start, monkeypatch):
    """Once the child is reaped and its number belongs to somebody else, no group is signalled."""
    process = start("")
    process.process.wait()
    monkeypatch.setattr(procfs, "start_time", lambda pid: 1)
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("a stranger's group was signalled"))
    process._signal(set(), 15)


def test_it_says_what_it_is(start):
    """The name in a receipt has the pid and the program."""
    process = start("")
    assert str(process) == f"process {process.process.pid} ({Path(sys.executable).name})"


def test_a_command_line_of_the_shell_is_named_by_its_first_word():
    """With `shell=True` the command is one string."""
    process = Child("true and more", {"shell": True})
    assert str(process).endswith("(true)")
    process.end(10)
