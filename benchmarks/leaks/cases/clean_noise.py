"""Memory that goes up and down for good reasons."""

from __future__ import annotations

import copy
import functools
import itertools
import json
import math
import random
import sqlite3
import zlib

from benchmarks.leaks.corpus import STEADY, case

clean = functools.partial(case, kind="clean noise", expect=STEADY)


def flushing(period: int, row):
    """Return a step that buffers one row and flushes when there are `period` of them."""
    rows = []

    def step():
        rows.append(row())
        if len(rows) >= period:
            rows.clear()

    return step


@clean()
def nothing_at_all():
    """The step does nothing."""
    yield lambda: None


@clean()
def sawtooth_of_7():
    """A buffer is flushed each 7 steps."""
    yield flushing(7, lambda: [random.random() for _ in range(100)])


@clean()
def sawtooth_of_64():
    """A buffer of 10 KB blocks is flushed each 64 steps."""
    yield flushing(64, lambda: bytearray(10_000))


@clean()
def sawtooth_of_100():
    """A buffer of rows is flushed each 100 steps."""
    yield flushing(100, lambda: [random.random() for _ in range(30)])


@clean()
def sawtooth_of_300():
    """A buffer of rows is flushed each 300 steps."""
    yield flushing(300, lambda: [random.random() for _ in range(10)])


@clean()
def sawtooth_of_1000():
    """A buffer of rows is flushed each 1000 steps."""
    yield flushing(1000, lambda: [random.random() for _ in range(10)])


@clean()
def two_sawteeth():
    """Two buffers are flushed, one each 90 and one each 250 steps."""
    one = flushing(90, lambda: [random.random() for _ in range(20)])
    other = flushing(250, lambda: bytes(3000))

    def step():
        one()
        other()

    yield step


@clean()
def flushed_by_chance():
    """A buffer is flushed with one step in 60, by chance."""
    rows = []

    def step():
        rows.append([random.random() for _ in range(20)])
        if random.random() < 1 / 60:
            rows.clear()

    yield step


@clean()
def day_and_night():
    """The number of sessions follows a wave of 120 steps."""
    sessions, numbers = [], itertools.count()

    def step():
        wanted = int(200 + 150 * math.sin(next(numbers) * 2 * math.pi / 120))
        sessions[wanted:] = []
        while len(sessions) < wanted:
            sessions.append({"user": random.random(), "cart": [random.random()]})

    yield step


@clean()
def queue_that_wanders():
    """A queue has between 0 and 300 jobs, now more, now fewer, and remembers where it was."""
    jobs = []

    def step():
        for _ in range(20):
            if jobs and random.random() < len(jobs) / 300:
                jobs.pop()
            else:
                jobs.append([random.random()])

    yield step


@clean()
def dictionary_grows_and_shrinks():
    """A dictionary takes and loses many keys in each step."""
    table: dict[int, str] = {}

    def step():
        for _ in range(200):
            table[random.randrange(3000)] = "x" * 20
            table.pop(random.randrange(3000), None)

    yield step


@clean()
def random_sizes():
    """Each step builds objects of any size and keeps them until the next."""
    working = []

    def step():
        working[:] = [[random.random()] * random.randrange(50) for _ in range(random.randrange(5000))]

    yield step


@clean()
def rare_large_job():
    """One job in 40 needs 8 MB, the others hardly anything, and the last one's memory is kept until the next."""
    working = []

    def step():
        working[:] = [str(number) for number in range(100_000 if random.random() < 0.025 else 50)]

    yield step


@clean()
def parse_and_write():
    """A document is read, copied, changed, written and compressed."""
    text = json.dumps([{"id": number, "name": f"item {number}", "tags": ["a", "b"]} for number in range(30)])

    def step():
        items = copy.deepcopy(json.loads(text))
        random.shuffle(items)
        return zlib.decompress(zlib.compress(json.dumps(items).encode()))

    yield step


@clean()
def rows_in_a_database():
    """Rows go into a database in memory and out again."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table event (at real)")

        def step():
            connection.executemany("insert into event values (?)", [(random.random(),) for _ in range(20)])
            connection.execute("delete from event where rowid not in (select rowid from event order by at limit 50)")

        yield step


@clean()
def errors_raised_and_caught():
    """An error goes through several frames, is caught and forgotten."""

    def deep(level: int) -> float:
        return deep(level - 1) if level else 1 / level

    def step():
        try:
            deep(20)
        except ZeroDivisionError:
            return

    yield step


@clean()
def generators_abandoned():
    """A generator is begun and dropped in the middle."""

    def lines():
        try:
            yield from range(100)
        finally:
            _ = [random.random()]

    def step():
        return next(lines())

    yield step
