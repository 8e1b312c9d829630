"""Child processes: left behind, growing, and well used."""

from __future__ import annotations

import functools
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.leaks.corpus import GROWING, STEADY, case

leaking = functools.partial(case, kind="processes", expect=GROWING)
clean = functools.partial(case, kind="processes", expect=STEADY)


@contextmanager
def helper(source: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a long-lived helper that does something for each line it reads and answers with one."""
    loop = f"import sys, os, random\nkept = []\nfor line in sys.stdin:\n    {source}\n    print('ok', flush=True)\n"
    arguments = [sys.executable, "-c", loop]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def ask(process: subprocess.Popen[bytes]) -> None:
    """Have the helper do its work once."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"go\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"ok\n"


@leaking(metric="children_rss")
def helper_grows():
    """A long-lived helper keeps 64 KB of each request that comes through its pipe."""
    with helper("kept.append(b'x' * 65536)") as process:
        yield lambda: ask(process)


@leaking(metric="children_rss")
def helper_grows_slowly():
    """A long-lived helper keeps small objects, 20 KB with each request, beside honest work."""
    with helper("kept.append([f'row {i}' for i in range(300)]); work = bytes(random.randrange(90000))") as process:
        yield lambda: ask(process)


@leaking(metric="children_rss")
def forked_worker_grows():
    """A forked worker keeps what it was sent, 40 KB a message."""
    to_worker, from_worker = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        kept = []
        while os.read(to_worker[0], 1):
            kept.append(b"x" * 40_000)
            os.write(from_worker[1], b"k")
        os._exit(0)

    def step():
        os.write(to_worker[1], b"g")
        assert os.read(from_worker[0], 1) == b"k"

    yield step
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for descriptor in (*to_worker, *from_worker):
        os.close(descriptor)


@leaking(metric="children_rss")
def grandchild_grows():
    """A shell starts the helper that keeps 64 KB of each request: it is a grandchild."""
    loop = "import sys\nkept = []\nfor line in sys.stdin:\n    kept.append(b'x' * 65536)\n    print('ok', flush=True)\n"
    arguments = ["/bin/sh", "-c", '"$0" -c "$1"; true', sys.executable, loop]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield lambda: ask(process)
        assert process.stdin is not None
        process.stdin.close()


@leaking(metric=("fds", "children_rss"))
def helper_forgets_descriptors():
    """A long-lived helper opens a file for each request and never closes it."""
    with helper("kept.append(os.open(os.devnull, os.O_RDONLY))") as process:
        yield lambda: ask(process)


@leaking(metric="descendants")
def children_that_never_end():
    """A process is started with each call, dropped, and never ends."""
    children = []

    def step():
        children.append(subprocess.Popen(["sleep", "1000"]))  # leak

    yield step
    for child in children:
        child.kill()
        child.wait()


@leaking(metric="descendants")
def zombies():
    """Forked children end at once, but nobody waits for them."""
    children = []

    def step():
        child = os.fork()  # leak
        if child == 0:
            os._exit(0)
        children.append(child)

    yield step
    for child in children:
        os.waitpid(child, 0)


@leaking(metric="descendants")
def grandchildren_left_behind():
    """A shell is waited for, but what it started in the background lives on, one time in five."""
    started = []

    def step():
        started.append(None)
        wanted = "sleep 1000 >/dev/null 2>&1 & echo $!" if len(started) % 5 == 0 else "echo 0"
        with subprocess.Popen(["/bin/sh", "-c", wanted], stdout=subprocess.PIPE) as shell:
            assert shell.stdout is not None
            started[-1] = int(shell.stdout.read())

    yield step
    for child in started:
        if child:
            os.kill(child, signal.SIGKILL)


@clean()
def short_commands():
    """A command is run and waited for in each step."""

    def step():
        subprocess.run(["true"], check=True)

    yield step


@clean()
def dropped_but_short():
    """A command is started and dropped; it ends by itself, and the next start reaps it."""
    import warnings

    def step():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            subprocess.Popen(["true"])

    yield step


@clean()
def steady_helper():
    """A long-lived helper takes up to 2 MB for each request and gives it back."""
    with helper("work = bytearray(b'x') * random.randrange(2_000_000); del work") as process:
        yield lambda: ask(process)


@clean()
def helper_warms_up():
    """A helper loads one more table with each of its first 60 requests, 50 KB each."""
    with helper("len(kept) < 60 and kept.append(b'x' * 50_000)") as process:
        yield lambda: ask(process)


@clean()
def helper_recycled():
    """A helper that grows is replaced after each 25 requests."""
    state: list[object] = [None, 0]
    source = "kept.append(b'x' * 65536)"

    def replace() -> subprocess.Popen[bytes]:
        if state[0] is not None:
            state[0].__exit__(None, None, None)
        state[0], state[1] = helper(source), 0
        return state[0].__enter__()

    process = [replace()]

    def step():
        if state[1] >= 25:
            process[0] = replace()
        state[1] += 1
        ask(process[0])

    yield step
    state[0].__exit__(None, None, None)


@clean()
def pool_of_workers():
    """Up to four workers are alive, a random number at any time."""
    workers: list[subprocess.Popen[bytes]] = []

    def stop(worker: subprocess.Popen[bytes]) -> None:
        worker.kill()
        worker.wait()

    def step():
        if workers and random.random() < len(workers) / 4:
            stop(workers.pop())
        else:
            workers.append(subprocess.Popen(["sleep", "1000"]))

    yield step
    for worker in workers:
        stop(worker)
