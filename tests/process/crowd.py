"""Many processes at one store: run as a program, so that it can fork without threads and without pytest's belongings.

`crowd.py open HOME` opens an empty store from several processes at once; `crowd.py work HOME JOBS` sends jobs, works on
them in four processes, and kills one of these at random again and again until every job has ended.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tightship.core.receipt import Receipt
from tightship.errors import StaleClaim
from tightship.store.config import StoreConfig
from tightship.store.record import Claim
from tightship.store.request import Request
from tightship.store.states import FINAL
from tightship.store.store import Store

OPENERS = 8
WORKERS = 4
#: One job in so many kills whoever works on it.
POISON_EVERY = 100
POISON_ATTEMPTS = 3
#: Share of jobs for each of which one worker is killed at random.
KILL_SHARE = 0.15
#: Dead workers' jobs count as running until their short leases end.
CONFIG = StoreConfig(max_pending=10**6, max_running=64, max_rows=10**6, lease_s=0.5, busy_s=60.0)
OK = Receipt("gif", "attempt", "ok", None, wall_s=0.01, peak_bytes=1)
pause = threading.Event().wait


def fork(deed: Callable[[], None]) -> int:
    """Do something in a child process."""
    pid = os.fork()
    if pid:
        return pid
    try:
        deed()
        os._exit(0)
    except BaseException as fault:  # noqa: BLE001  # the child must end here, whatever went wrong
        print(f"{os.getpid()}: {fault!r}", file=sys.stderr, flush=True)
        os._exit(1)


def open_at_once(home: Path) -> None:
    """Open an empty store from several processes that all wait for the same moment."""
    start_at_s = time.monotonic() + 0.3

    def deed() -> None:
        pause(max(0.0, start_at_s - time.monotonic()))
        with Store.open(home) as store:
            store.submit(Request("gif", {}, 0), None, 1)

    pids = [fork(deed) for _ in range(OPENERS)]
    print(json.dumps([os.waitpid(pid, 0)[1] for pid in pids]))


def send(home: Path, jobs: int) -> None:
    """Send all jobs, then sweep until all have ended."""
    with Store.open(home, CONFIG) as store:
        for number in range(jobs):
            poison = number % POISON_EVERY == POISON_EVERY // 2
            attempts = POISON_ATTEMPTS if poison else 1000
            store.submit(Request("gif", {"poison": poison, "number": number}, 0, max_attempts=attempts), None, 1)
        while sum(count for status, count in store.counts().items() if status in FINAL) < jobs:
            store.sweep()
            pause(0.05)


def work(home: Path) -> None:
    """Work until killed."""
    chance = random.Random()
    log = os.open(home / "accepted", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with Store.open(home, CONFIG) as store:
        while True:
            claim = store.claim(f"{os.getpid()}", 10**9)
            if claim is None:
                pause(0.01)
            elif claim.job.options["poison"]:
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                pause(chance.uniform(0, 0.04))
                _finish(store, claim, home, log)


def _finish(store: Store, claim: Claim, home: Path, log: int) -> None:
    output = home / f"out-{os.getpid()}"
    output.write_text(f"result of {claim.job.options['number']}")
    try:
        with store.blobs.put_file(output) as blob:
            store.finish(claim, {}, OK, result_blob=blob)
    except StaleClaim:
        return
    os.write(log, f"{claim.job.id} {claim.fence}\n".encode())


def work_and_kill(home: Path, jobs: int) -> None:
    """Keep four workers working and dying until every job has ended."""
    Store.open(home, CONFIG).close()
    chance = random.Random()
    sender = fork(lambda: send(home, jobs))
    workers = [fork(lambda: work(home)) for _ in range(WORKERS)]
    kills = deaths = 0
    while not os.waitpid(sender, os.WNOHANG)[0]:
        pause(chance.uniform(0.01, 0.05))
        if kills < KILL_SHARE * jobs:
            os.kill(chance.choice(workers), signal.SIGKILL)
            kills += 1
        for number, pid in enumerate(workers):
            ended, how = os.waitpid(pid, os.WNOHANG)
            if ended:
                deaths += 1
                assert os.WIFSIGNALED(how), f"a worker ended by itself: {how}"
                workers[number] = fork(lambda: work(home))
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    print(json.dumps({"kills": kills, "deaths": deaths}))


if __name__ == "__main__":
    if sys.argv[1] == "open":
        open_at_once(Path(sys.argv[2]))
    else:
        work_and_kill(Path(sys.argv[2]), int(sys.argv[3]))
