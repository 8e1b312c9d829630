"""The process that owns a pool is killed: nothing of it stays."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tightship.core import procfs
from tightship.errors import ScopeMisused
from tightship.pool.pool import Pool

from .conftest import HERE, TRIES, MakeTask

Eventually = Callable[..., None]


@pytest.mark.alone
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_killed_parent_leaves_no_process(home: Path, eventually: Eventually, signum: int) -> None:
    """Hung slots, their children, `setsid` grandchildren and the warden are gone within two seconds."""
    took_s: list[float] = []
    for _ in range(TRIES):
        took_s.append(_seconds_to_be_gone(home, eventually, signum))
        if took_s[-1] < 2:
            break

    assert min(took_s) < 2
    assert any((home / "scratch").iterdir()), "what a killed process leaves on disk is there to be swept"
    with Pool(home=home) as next_start:
        assert len(next_start.swept.removed) == len(took_s)
        assert list((home / "scratch").iterdir()) == []


def _seconds_to_be_gone(home: Path, eventually: Eventually, signum: int) -> float:
    """Kill a process with busy slots and return how long anything of it lives on."""
    deeds = ["spin_in_c", "daemonise"]
    with subprocess.Popen(
        [sys.executable, str(HERE / "host.py"), str(home), *deeds], stdout=subprocess.PIPE, text=True
    ) as host:
        assert host.stdout is not None
        try:
            for _ in deeds:
                assert host.stdout.readline() == "under way\n"
            eventually(lambda: len(procfs.descendants(host.pid)) >= 5, "warden, two slots, two descendants")
            family = {pid: procfs.start_time(pid) for pid in procfs.descendants(host.pid)}
            host.send_signal(signum)
            killed_s = time.monotonic()
            host.wait(60)
        finally:
            host.kill()
        eventually(lambda: not _living(family), "every process is gone", 20.0)
        return time.monotonic() - killed_s


@pytest.mark.alone
def test_forked_child_does_not_touch_the_pool(pool: Pool, misdeed: MakeTask) -> None:
    """A fork can neither use nor close the pool it has inherited; the pool itself goes on."""
    first = pool.run(misdeed("nothing")).unwrap()["pid"]

    def child() -> None:
        pool.close()
        with pytest.raises(ScopeMisused):
            pool.run(misdeed("nothing"))

    _in_fork(child)
    assert pool.run(misdeed("nothing")).unwrap()["pid"] == first


@pytest.mark.alone
def test_forked_child_ends_no_slot_and_takes_no_news(pool: Pool, misdeed: MakeTask, eventually: Eventually) -> None:
    """What a child asks of the pool is refused before it hears, in its parent's stead, that a worker has died."""
    worker = pool.run(misdeed("nothing")).unwrap()["pid"]

    def child() -> None:
        for ask in (lambda: pool.recycle(worker), lambda: pool.vacate(lambda _: True), lambda: pool.run(task)):
            with pytest.raises(ScopeMisused):
                ask()

    task = misdeed("nothing")
    _in_fork(child)
    assert pool.run(task).unwrap()["pid"] == worker

    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{worker}").exists(), "the worker is reaped, and its end told")
    _in_fork(child)
    assert pool.run(task).error is None
    assert [receipt.cause for receipt in pool.ledger.receipts("worker")] == ["signal 9"]


def _in_fork(work: Callable[[], None]) -> None:
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_fork_that_outlives_its_parent_keeps_no_slot(home: Path, eventually: Eventually) -> None:
    """Copies of the sockets in a forked child do not keep the workers of a dead parent alive."""
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from tightship.pool.config import PoolConfig; from tightship.pool.deadline import Deadline\n"
        "from tightship.pool.pool import Pool; from tightship.pool.task import Task\n"
        "pool = Pool(PoolConfig(import_paths=(sys.argv[2],)), home=Path(sys.argv[1]))\n"
        "worker = pool.run(Task('n', 'misdeeds', {'deed': 'nothing'}, Deadline(9, 9, 9))).unwrap()['pid']\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os.close(1); os.close(2); import signal; signal.pause()\n"
        "print(worker, pool.warden_pid, child, flush=True); os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(home), str(HERE)], capture_output=True, text=True, timeout=60, check=True
    )
    worker, warden, child = map(int, done.stdout.split())
    try:
        eventually(lambda: not (Path(f"/proc/{worker}").exists() or Path(f"/proc/{warden}").exists()), "both go", 20.0)
    finally:
        os.kill(child, signal.SIGKILL)


def _living(family: dict[int, int | None]) -> list[int]:
    return [pid for pid, started in family.items() if procfs.is_running(pid, started)]


@pytest.mark.parametrize("closed", [(0, 1), (0, 1, 2), (2,)])
def test_parent_without_standard_streams_works(home: Path, tmp_path: Path, closed: tuple[int, ...]) -> None:
    """A daemon that has closed its standard streams gets its slots all the same."""
    script = (
        f"import os, sys; [os.close(fd) for fd in {closed}]\n"
        "from pathlib import Path\n"
        "from tightship.pool.config import PoolConfig; from tightship.pool.deadline import Deadline\n"
        "from tightship.pool.pool import Pool; from tightship.pool.task import Task\n"
        "with Pool(PoolConfig(import_paths=(sys.argv[2],)), home=Path(sys.argv[1])) as pool:\n"
        "    done = pool.run(Task('n', 'misdeeds', {'deed': 'nothing', 'echo': {'answer': 42}}, Deadline(9, 9, 9)))\n"
        "Path(sys.argv[3]).write_text(str(done.unwrap()['answer']))\n"
        "os._exit(0)\n"
    )
    answer = tmp_path / "answer"
    subprocess.run([sys.executable, "-c", script, str(home), str(HERE), str(answer)], check=False, timeout=60)

    assert answer.read_text() == "42"
