"""Threads that never end, what threads keep, and threads that are well used."""

from __future__ import annotations

import functools
import itertools
import queue
import random
import threading
from concurrent.futures import ThreadPoolExecutor

from benchmarks.leaks.corpus import GROWING, STEADY, case
from benchmarks.leaks.native import can_compile, extension

leaking = functools.partial(case, kind="threads", expect=GROWING, metric="threads")
clean = functools.partial(case, kind="threads", expect=STEADY)


@leaking()
def parked_for_ever():
    """Each call starts a thread that waits for an event nobody sets."""
    over = threading.Event()

    def step():
        threading.Thread(target=over.wait, daemon=True).start()  # leak

    yield step
    over.set()


@leaking()
def consumer_by_connection():
    """Each connection gets a consumer thread, and one in ten is never told to stop."""
    numbers, left = itertools.count(1), []

    def consume(jobs: queue.SimpleQueue[object]) -> None:
        while jobs.get() is not None:
            pass

    def step():
        jobs: queue.SimpleQueue[object] = queue.SimpleQueue()
        thread = threading.Thread(target=consume, args=(jobs,), daemon=True)
        thread.start()  # leak
        jobs.put("work")
        if next(numbers) % 10 == 0:
            left.append(jobs)
        else:
            jobs.put(None)
            thread.join()

    yield step
    for jobs in left:
        jobs.put(None)


@leaking()
def timers_not_cancelled():
    """A timeout is guarded by a timer that nobody cancels when the work is done."""
    timers = []

    def step():
        timer = threading.Timer(3600, print)
        timer.daemon = True
        timer.start()  # leak
        timers.append(timer)

    yield step
    for timer in timers:
        timer.cancel()


@leaking()
def executor_by_request():
    """Each request makes an executor of its own, which nobody shuts down."""
    executors = []

    def step():
        executor = ThreadPoolExecutor(max_workers=2)
        executors.append(executor)
        executor.submit(sum, (1, 2)).result()  # leak

    yield step
    for executor in executors:
        executor.shutdown()


@leaking(needs=can_compile)
def native_threads():
    """A library starts a native thread with each call; Python does not know of it."""
    park = extension().park

    def step():
        park()  # leak

    yield step


@leaking(metric="python_blocks")
def worker_keeps_by_thread():
    """The threads of a pool each keep a list of what they did."""
    local = threading.local()

    def work(number: int) -> None:
        if not hasattr(local, "done"):
            local.done = []
        local.done.append(f"job {number}")  # leak

    with ThreadPoolExecutor(max_workers=4) as executor:
        numbers = itertools.count()

        def step():
            executor.submit(work, next(numbers)).result()

        yield step


@leaking(metric="python_blocks")
def jobs_behind_a_stuck_worker():
    """The only worker hangs, and jobs queue up behind it."""
    over = threading.Event()
    executor = ThreadPoolExecutor(max_workers=1)
    executor.submit(over.wait)

    def step():
        executor.submit(sum, (1, 2))  # leak

    yield step
    over.set()
    executor.shutdown(cancel_futures=True)


@leaking(metric="python_blocks")
def by_thread_name():
    """Each job has a thread of its own, and a table by its name is never cleared."""
    table, numbers = {}, itertools.count()

    def work() -> None:
        table[threading.current_thread().name] = [0.5]  # leak

    def step():
        thread = threading.Thread(target=work, name=f"job-{next(numbers)}")
        thread.start()
        thread.join()

    yield step


@clean()
def just_joined():
    """Three threads are started and joined; the kernel may list them a moment longer."""

    def step():
        threads = [threading.Thread(target=sum, args=(range(100),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    yield step


@clean()
def ends_without_join():
    """Each call starts a thread that ends by itself a moment later."""

    def step():
        threading.Thread(target=sum, args=(range(20_000),)).start()

    yield step


@clean()
def pool_starts_up():
    """A pool starts one more thread with each call while it may, up to 32."""
    gate = threading.Event()
    with ThreadPoolExecutor(max_workers=32) as executor:
        numbers = itertools.count()

        def step():
            if next(numbers) < 32:
                executor.submit(gate.wait)
            else:
                gate.set()
                executor.submit(sum, (1, 2)).result()

        yield step
        gate.set()


@clean()
def executor_well_used():
    """Each call makes an executor, uses it and shuts it down."""

    def step():
        with ThreadPoolExecutor(max_workers=3) as executor:
            assert list(executor.map(abs, range(-3, 0))) == [3, 2, 1]

    yield step


@clean()
def table_by_thread_number():
    """A table by thread number is never cleared, but the numbers come again."""
    table = {}

    def work() -> None:
        table[threading.get_ident()] = [random.random()]

    def step():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    yield step


@clean()
def another_thread_at_work():
    """A thread in the background takes and frees memory all the while, unrelated to the steps."""
    over = threading.Event()

    def churn() -> None:
        working: list[list[str]] = []
        while not over.wait(0.001):
            working = [[str(number) for number in range(random.randrange(200))] for _ in range(random.randrange(10))]
        working.clear()

    thread = threading.Thread(target=churn, daemon=True)
    thread.start()

    def step():
        return sum(random.random() for _ in range(100))

    yield step
    over.set()
    thread.join()
