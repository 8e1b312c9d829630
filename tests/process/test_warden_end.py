"""The warden itself is killed or stopped: nothing hangs, nothing stays, and the next attempt gets a new one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tightship.core import procfs
from tightship.errors import DeadlineExceeded, WorkerDied
from tightship.pool import vigil
from tightship.pool.deadline import Deadline
from tightship.pool.messages import Partial, Progress
from tightship.pool.pool import Pool

from .conftest import HERE, MakeTask
from .test_evasion import rescued

Eventually = Callable[..., None]


@pytest.mark.parametrize("deed", ["spin_in_c", "flood"])
def test_stopped_warden_holds_nobody_up(
    pool: Pool, misdeed: MakeTask, eventually: Eventually, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    """A slot that hangs past its deadline is given up, and a warden that gives no answer goes with its slots."""
    monkeypatch.setattr(vigil, "OVERDUE_S", 0.1)
    monkeypatch.setattr(vigil, "ANSWER_S", 0.1)
    worker = pool.run(misdeed("nothing")).unwrap()["pid"]
    warden = pool.warden_pid
    assert warden is not None
    os.kill(warden, signal.SIGSTOP)

    with rescued([warden]):
        outcome = pool.run(misdeed(deed, deadline=Deadline(0.5, 0.5, 60)))

    assert isinstance(outcome.error, WorkerDied | DeadlineExceeded)
    eventually(lambda: not Path(f"/proc/{worker}").exists(), "the slot is gone")
    assert pool.run(misdeed("nothing")).error is None
    assert pool.warden_pid != warden


@pytest.fixture(params=[signal.SIG_DFL, signal.SIG_IGN], ids=["heeded", "ignored"])
def children_s_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """The program may ignore the end of its children: nobody can tell then how they ended."""
    habit = signal.signal(signal.SIGCHLD, request.param)
    yield
    signal.signal(signal.SIGCHLD, habit)


@pytest.mark.usefixtures("children_s_end")
def test_killed_warden_leaves_no_descendant(pool: Pool, misdeed: MakeTask, eventually: Eventually) -> None:
    """What a worker has started outlives it where the warden is killed; the pool ends that."""
    started: dict[int, int | None] = {}

    def kill(event: Progress | Partial) -> None:
        if isinstance(event, Partial):
            started.update({pid: procfs.start_time(pid) for pid in event.payload["pids"]})
            assert pool.warden_pid is not None
            os.kill(pool.warden_pid, signal.SIGKILL)

    outcome = pool.run(misdeed("start_child", hang=True), on_event=kill)
    assert isinstance(outcome.error, WorkerDied)
    assert pool.run(misdeed("nothing")).error is None

    assert started
    eventually(lambda: not any(procfs.is_running(*child) for child in started.items()), "the descendant is gone")


def test_next_start_ends_what_lives_on(home: Path, eventually: Eventually) -> None:
    """Where pool and warden are killed at once, the sweep of what they left ends what their workers had started."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "host.py"), str(home), "start_child"], stdout=subprocess.PIPE, text=True
    ) as host:
        assert host.stdout is not None
        try:
            assert host.stdout.readline() == "under way\n"
            family = {pid: procfs.start_time(pid) for pid in procfs.descendants(host.pid)}
            (warden,) = procfs.children(host.pid)
            os.kill(warden, signal.SIGSTOP)  # so that it sees nothing of its pool's end
        finally:
            host.kill()
        os.kill(warden, signal.SIGKILL)

    Pool(home=home).close()

    eventually(lambda: not any(procfs.is_running(*member) for member in family.items()), "every process is gone")
