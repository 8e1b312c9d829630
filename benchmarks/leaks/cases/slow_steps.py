"""Steps that take 10 ms to 0.3 s, so that a trial sees few of them."""

from __future__ import annotations

import functools
import itertools
import os
import random
import tempfile
import threading
import time

from benchmarks.leaks.corpus import GROWING, STEADY, case

leaking = functools.partial(case, kind="slow steps", expect=GROWING)
clean = functools.partial(case, kind="slow steps", expect=STEADY)


@leaking(metric="python_blocks")
def result_kept_100_ms():
    """A job of 0.1 s keeps its result, 300 objects."""
    kept = []

    def step():
        time.sleep(0.1)
        kept.append([f"word {number}" for number in range(300)])  # leak

    yield step


@leaking(metric="fds")
def descriptor_kept_300_ms():
    """A job of 0.3 s forgets a descriptor."""
    left = []

    def step():
        time.sleep(0.3)
        left.append(os.open(os.devnull, os.O_RDONLY))  # leak

    yield step
    for descriptor in left:
        os.close(descriptor)


@leaking(metric="threads")
def thread_kept_200_ms():
    """A job of 0.2 s leaves a thread behind."""
    over = threading.Event()

    def step():
        time.sleep(0.2)
        threading.Thread(target=over.wait, daemon=True).start()  # leak

    yield step
    over.set()


@leaking(metric=("native_heap", "rss"))
def buffer_kept_200_ms():
    """A job of 0.2 s keeps a buffer of 100 KB."""
    kept = []

    def step():
        time.sleep(0.2)
        kept.append(bytearray(b"x") * 100_000)  # leak

    yield step


@leaking(metric="temp_files")
def file_left_250_ms():
    """A job of 0.25 s leaves a temporary file."""

    def step():
        time.sleep(0.25)
        descriptor, _ = tempfile.mkstemp()  # leak
        os.close(descriptor)

    yield step


@clean()
def waits_100_ms():
    """A job of 0.1 s waits and computes a little."""

    def step():
        time.sleep(0.1)
        return sum(random.random() for _ in range(1000))

    yield step


@clean()
def waits_300_ms():
    """A job of 0.3 s takes 2 MB and gives it back."""

    def step():
        buffer = bytearray(2_000_000)
        time.sleep(0.3)
        return len(buffer)

    yield step


@clean()
def computes_150_ms():
    """A job computes for 0.15 s with many objects."""

    def step():
        until = time.monotonic() + 0.15
        while time.monotonic() < until:
            sorted(str(random.random()) for _ in range(1000))

    yield step


@clean()
def cache_and_wait_100_ms():
    """A job of 0.1 s fills a small cache in its first 20 runs."""
    cache = {}

    def step():
        time.sleep(0.1)
        if len(cache) < 20:
            cache[len(cache)] = [f"row {number}" for number in range(500)]

    yield step


@clean()
def uneven_durations():
    """A job takes anything from 5 to 200 ms and as much memory as time."""
    working = [b""]

    def step():
        took_s = random.uniform(0.005, 0.2)
        working[0] = bytes(int(took_s * 5e6))
        time.sleep(took_s)

    yield step


@leaking(metric="python_blocks")
def object_kept_10_ms():
    """A request of 10 ms keeps what it was asked."""
    kept = []

    def step():
        time.sleep(0.01)
        kept.append({"query": random.random(), "page": [1, 2]})  # leak

    yield step


@clean()
def newest_512_at_10_ms():
    """A request of 10 ms puts its answer into a cache of the 512 newest."""
    numbers = itertools.count()

    @functools.lru_cache(maxsize=512)
    def answer(number: int) -> list[str]:
        return [f"{number} {word}" for word in ("a", "b", "c")]

    def step():
        time.sleep(0.01)
        answer(next(numbers))

    yield step


@clean()
def sawtooth_of_300_at_10_ms():
    """A request of 10 ms adds a line to a buffer that is written out each 300 lines."""
    lines = []

    def step():
        time.sleep(0.01)
        lines.append([random.random(), "GET /"])
        if len(lines) == 300:
            lines.clear()

    yield step
