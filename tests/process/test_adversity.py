"""Hostile workers and unkind surroundings: whatever happens is told plainly, harms one job, and leaves nothing."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tightship.errors import (
    Cancelled,
    ConversionFailed,
    InvalidOptions,
    MemoryExceeded,
    OutputUnwritable,
    ScopeMisused,
    WorkerDied,
)
from tightship.pool.deadline import Deadline
from tightship.pool.messages import Partial, Progress
from tightship.pool.pool import Pool
from tightship.pool.task import Task

from .conftest import HERE, OpenPool

Eventually = Callable[..., None]
HUGE = 10**4000
#: A program that runs one attempt, prints how it ended, and the seconds in which its pool closed.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from tightship.core.procfs import is_running, start_time
from tightship.pool import supervision
from tightship.pool.config import PoolConfig
from tightship.pool.deadline import Deadline
from tightship.pool.pool import Pool
from tightship.pool.task import Task
home, further = Path(sys.argv[1]), sys.argv[2]
supervision.CLOSE_S = 60.0  # a warden that does not hear of the end is not helped out before anybody sees it
def run(deed, limit_s=60, **options):
    return pool.run(Task(deed, "adversary", {"deed": deed, **options}, Deadline(limit_s, limit_s, limit_s)))
def slay(pid):
    os.kill(pid, signal.SIGKILL)
    while is_running(pid, start_time(pid)):
        time.sleep(0.01)
{before}
pool = Pool(PoolConfig(import_paths=(further,)), home=home)
pid = run("nothing").unwrap()["pid"]
{after}
began_s = time.monotonic()
pool.close()
assert time.monotonic() - began_s < 30, "slow to close"
print("done")
"""


def attack(deed: str, *, deadline: Deadline | None = None, **rest: Any) -> Task:
    """Make a task out of the name of a deed."""
    fields = {name: rest.pop(name) for name in ("deliver", "session", "ceiling_bytes") if name in rest}
    return Task(deed, "adversary", {"deed": deed, **rest}, deadline or Deadline(60, 60, 60), **fields)


def program(home: Path, *, before: str = "", after: str = "") -> str:
    """Run `PROGRAM` and return what it wrote."""
    text = PROGRAM.replace("{before}", before).replace("{after}", after)
    done = subprocess.run(
        [sys.executable, "-c", text, str(home), str(HERE)], capture_output=True, text=True, timeout=100, check=False
    )
    return f"{done.stdout}{done.stderr}" if done.returncode == 0 else f"ended with {done.returncode}: {done.stderr}"


# --- a worker that has been taken over --------------------------------------------------------------


def test_link_for_a_folder_delivers_nobody_elses_file(pool: Pool, tmp_path: Path) -> None:
    """A worker that puts a link in the place of its folder gets no file from behind it moved, read or changed."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("hunter2")
    (secret / "key").chmod(0o600)

    outcome = pool.run(attack("swap_folder", folder=str(secret), name="key", deliver=tmp_path / "out"))

    assert isinstance(outcome.error, ConversionFailed)
    assert not (tmp_path / "out").exists()
    assert (secret / "key").read_text() == "hunter2"
    assert (secret / "key").stat().st_mode & 0o777 == 0o600


def test_link_for_a_log_shows_nobody_elses_file(pool: Pool, tmp_path: Path) -> None:
    """The last words of a worker come from its log, not from where a link in its place leads."""
    (tmp_path / "key").write_text("hunter2")

    outcome = pool.run(attack("forge_log", link_to=str(tmp_path / "key")))

    assert isinstance(outcome.error, WorkerDied)
    assert outcome.error.details["log"] is None


def test_pipe_for_a_log_holds_nobody_up(pool: Pool) -> None:
    """A pipe in the place of the log is not waited for."""
    outcome = pool.run(attack("forge_log"))

    assert outcome.receipt.cause == "exit 3"


def test_bottomless_folder_goes(pool: Pool, home: Path) -> None:
    """A tree too deep for recursion is removed after the attempt, and the slot stays."""
    pool.run(attack("dig")).unwrap()

    assert [path.name for path in home.rglob("slot-1/*")] == ["worker.log"]
    assert len(pool.slots()) == 1


@pytest.mark.parametrize(
    "message",
    [
        {"is": "Progress", "done": HUGE, "total": None, "unit": "s"},
        {"is": "Exited", "cause": "memory", "peak_bytes": 1, "cpu_s": 0.0, "orphans": 0},
        {
            "is": "Finished",
            "result": {},
            "error": None,
            "warnings": [],
            "receipt": {
                "name": "x",
                "kind": "attempt",
                "outcome": "ok",
                "cause": None,
                "wall_s": 1,
                "base_bytes": HUGE,
            },
        },
    ],
    ids=["huge progress", "own obituary", "huge receipt"],
)
@pytest.mark.parametrize("for_s", [0, 600])
def test_forged_message_ends_the_worker_at_once(pool: Pool, message: dict[str, Any], for_s: float) -> None:
    """Numbers that no machine counts with, and words that are not a worker's, are told as its death."""
    began_s = time.monotonic()

    outcome = pool.run(attack("say", message=message, for_s=for_s))

    assert isinstance(outcome.error, WorkerDied)
    assert outcome.receipt.cause != "warden gone"
    assert time.monotonic() - began_s < 30  # and not the minute of its deadline
    assert pool.run(attack("nothing")).error is None


# --- operations that are wrong ----------------------------------------------------------------------


@pytest.mark.parametrize("what", ["nan", "bytes", "lock", "tuple key", "endless", "list", "none", "33 MiB"])
def test_result_that_cannot_be_passed_on_is_a_clear_error(pool: Pool, what: str) -> None:
    """What is not a dictionary of plain JSON, or too large, fails the attempt and not the slot."""
    outcome = pool.run(attack("give", what=what))

    assert isinstance(outcome.error, ConversionFailed)
    assert "result" in outcome.error.public_message
    assert outcome.receipt.outcome == "failed"
    assert len(pool.slots()) == 1


def test_options_that_cannot_be_passed_on_are_a_clear_error(pool: Pool) -> None:
    """Options that are no JSON are refused by name of the task."""
    with pytest.raises(InvalidOptions, match="options of nothing"):
        pool.run(attack("nothing", extra=b"bytes"))

    assert pool.run(attack("nothing")).error is None


def test_reports_from_several_threads_stay_whole(pool: Pool) -> None:
    """Threads of one operation that report at once do not garble each other's reports."""
    heard: list[Progress | Partial] = []

    pool.run(attack("talk_at_once"), on_event=heard.append).unwrap()

    assert len(heard) == 40


def test_progress_that_is_no_number_is_left_out(pool: Pool) -> None:
    """An endless or undefined amount, as damaged media give, is not reported."""
    outcome = pool.run(attack("report_nonsense"))

    assert outcome.error is None
    assert outcome.last_progress == (1.0, None, "s")


def test_session_that_does_not_open_fails_the_attempt(pool: Pool) -> None:
    """A model that cannot be loaded is an error of the job; the slot stays for the next try."""
    outcome = pool.run(attack("nothing", session="large"))

    assert isinstance(outcome.error, ConversionFailed)
    assert "there is no model large" in outcome.error.public_message


def test_ceiling_below_what_a_worker_needs_ends_at_once(pool: Pool) -> None:
    """A ceiling that an idle worker passes is told as such, after one try."""
    outcome = pool.run(attack("nothing", ceiling_bytes=2**20))

    assert isinstance(outcome.error, MemoryExceeded)
    assert len(pool.ledger.receipts("worker")) == 1


# --- many slots, many callers -------------------------------------------------------------------------


def test_slots_that_left_idle_are_no_mishap(open_pool: OpenPool, eventually: Eventually) -> None:
    """However many slots have left for want of work, the next job runs and the breaker stays closed."""
    pool = open_pool(slots=7, idle_s=0.3)
    pids: list[int] = []
    all_at_work = threading.Barrier(7, lambda: pids.extend(slot.pid for slot in pool.slots()), timeout=60.0)

    def work() -> None:
        pool.run(attack("sleep", for_s=0.5), on_event=lambda _: all_at_work.wait())

    threads = [threading.Thread(target=work) for _ in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 7
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "all leave")

    assert pool.run(attack("nothing")).error is None
    assert len(pool.slots()) == 1
    # On a busy machine one may be slow to leave, and is then helped out.
    assert {receipt.outcome for receipt in pool.ledger.receipts("worker")} <= {"ok", "killed"}


def test_cancelled_caller_does_not_take_the_others_wake_up(
    pool: Pool, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A free slot that wakes a caller who has given up meanwhile still wakes one who has not."""
    cancel = threading.Event()
    ends: list[str] = []

    def work(cancel: threading.Event | None, for_s: float = 0.0) -> None:
        try:
            ends.append(pool.run(attack("sleep", for_s=for_s), cancel=cancel).receipt.outcome)
        except Cancelled:
            ends.append("gave up")

    pool.run(attack("nothing")).unwrap()
    monkeypatch.setattr("tightship.pool.pool.CANCEL_POLL_S", 60.0)  # it wakes when it is woken, not by itself
    threads = [threading.Thread(target=work, args=(None, 1.0))]
    threads[0].start()
    eventually(lambda: any(slot.busy for slot in pool.slots()), "the slot is busy")
    for waiting, event in enumerate((cancel, None), 1):
        threads.append(threading.Thread(target=work, args=(event,), daemon=True))
        threads[-1].start()
        eventually(lambda: len(pool._changed._waiters) == waiting, "it waits in line")  # type: ignore[attr-defined]  # noqa: B023
    cancel.set()
    for thread in threads:
        thread.join(10)

    assert sorted(ends) == ["gave up", "ok", "ok"]


def test_pool_that_closes_while_slots_open_leaves_nothing(open_pool: OpenPool, home: Path) -> None:
    """Callers whose slots are on their way are told that the pool is closed; no process and no file stays."""
    for delay_s in (0.0, 0.02, 0.1):
        pool = open_pool(slots=2)
        ends: list[type[Exception]] = []

        def work(pool: Pool = pool, ends: list[type[Exception]] = ends) -> None:
            try:
                pool.run(attack("sleep", for_s=20))
            except ScopeMisused as closed:
                ends.append(type(closed))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        threading.Event().wait(delay_s)
        pool.close()
        for thread in threads:
            thread.join(10)

        assert ends == [ScopeMisused] * 3
        assert list((home / "scratch").iterdir()) == []


# --- unkind surroundings ------------------------------------------------------------------------------


@pytest.mark.parametrize("home", ["/proc/home", "/dev/null/home", "/tmp/" + "x" * 300])
def test_impossible_home_is_a_clear_error(home: str) -> None:
    """A home that cannot be made is named, and no process is started."""
    with pytest.raises(OutputUnwritable, match="home"), Pool(home=Path(home)) as pool:
        pool.run(attack("nothing"))


def test_pool_in_another_container_does_not_sweep_a_living_one(pool: Pool, home: Path) -> None:
    """Where two containers share a home, neither takes the other's folders for those of the dead."""
    pool.run(attack("nothing")).unwrap()
    sweep = (
        f"from pathlib import Path; from tightship.pool.pool import Pool; print(Pool(home=Path({str(home)!r})).swept)"
    )
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", sweep],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"another namespace of processes needs root: {done.stderr.strip()}")

    assert done.stdout == "SweepReport(removed=(), left=())\n"
    assert pool.run(attack("nothing")).error is None


def test_relative_home_is_the_one_at_the_start(
    open_pool: OpenPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that changes its folder afterwards does not lose its pool."""
    monkeypatch.chdir(tmp_path)
    with Pool(open_pool().config, home=Path("ä home")) as pool:
        monkeypatch.chdir("/")
        assert pool.run(attack("dig")).error is None
    assert list((tmp_path / "ä home" / "scratch").iterdir()) == []


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Leave room for five more descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(fd.name) for fd in Path("/proc/self/fd").iterdir()) + 6, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_descriptors_left_is_a_clear_error(open_pool: OpenPool, few_descriptors: None) -> None:
    """A program that is out of descriptors is told so, and no crash loop is suspected."""
    pool = open_pool()
    spare = []
    while True:
        try:
            spare.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            break
    for _ in range(7):
        with pytest.raises(WorkerDied, match="Too many open files"):
            pool.run(attack("nothing"))

    for fd in spare:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    assert pool.run(attack("nothing")).error is None


@pytest.mark.parametrize(
    "before",
    [
        "signal.signal(signal.SIGPIPE, signal.SIG_DFL)",
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGTERM])",
        "os.environ.clear()",
        "os.umask(0o077)",
        "os.environ['LC_ALL'] = 'C'",
    ],
)
def test_habits_of_the_program_do_not_matter(home: Path, before: str) -> None:
    """Whatever a program did to its signals, mask and environment, dead workers are noticed, reaped and replaced."""
    after = "slay(pid); run('nothing').unwrap(); slay(pool.warden_pid); run('nothing').unwrap()\n"
    after += "assert run('sleep', 0.2, for_s=20).receipt.cause == 'deadline'"

    assert program(home, before=before, after=after) == "done\n"


def test_forked_copy_does_not_keep_the_pool_from_closing(home: Path) -> None:
    """A forked child holds copies of the channels; the warden hears of the end all the same."""
    after = "child = os.fork()\nif child == 0:\n    signal.pause()\nimport atexit; atexit.register(os.kill, child, 9)"

    assert program(home, after=after) == "done\n"
