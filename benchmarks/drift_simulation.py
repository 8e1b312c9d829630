"""Measure how often a server's verdict is wrong: false alarms without a leak, jobs until a leak is found.

Run `python benchmarks/drift_simulation.py`; it prints Markdown tables. Every run draws the same streams. A stream is
10 000 jobs of one operation on two slots; the verdict is asked for after every 10 jobs, and one GROWING anywhere in a
stream without a leak is a false alarm. Beside it stands what a plain trend test says of the same levels, asked as
often: least squares, 99 %.

Caveats: the models are ours, not recordings. A cache that fills for longer than a slot lives cannot be told from a leak
by its levels, nor one that is emptied more rarely than a slot is replaced: the rows marked (limit) show it.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median

from tightship.core.history import History
from tightship.core.receipt import Receipt
from tightship.core.verdict import Kind

MB = 1_000_000
JOBS = 10_000
SLOTS = 2
ASK_EVERY = 10
#: The kernel counts memory in pages.
PAGE_BYTES = 4096
#: As in `RecyclePolicy`: a slot that holds so much more than after its first job is replaced.
GROWTH_BYTES = 128 * 2**20
#: Standard errors of a 99 % interval.
Z = 2.576

Sizes = Callable[[random.Random, int], float]


def log_normal(rng: random.Random, _job: int) -> float:
    return 20 * MB * rng.lognormvariate(0, 1)


def two_kinds(rng: random.Random, _job: int) -> float:
    return rng.choices((5 * MB, 100 * MB), (9, 1))[0] * rng.lognormvariate(0, 0.2)


def day(rng: random.Random, job: int) -> float:
    """Return small files in the morning and large ones in the evening, a day having 3000 jobs."""
    return 20 * MB * math.exp(math.sin(2 * math.pi * job / 3000 - math.pi / 2)) * rng.lognormvariate(0, 0.7)


def rising(rng: random.Random, job: int) -> float:
    """Return files that become three times larger over the stream."""
    return 10 * MB * 3 ** (job / JOBS) * rng.lognormvariate(0, 0.7)


@dataclass(frozen=True)
class Model:
    """How a slot's memory moves.

    Args:
        life: Jobs after which a slot is replaced.
        noise: Bytes that a level moves up and down by.
        memory: Share of its last deviation that a level keeps.
        walk: Bytes of a step that is never taken back on purpose, up or down.
        warm_up: Bytes that fill in the first jobs, within about `warm_jobs`.
        tooth: Jobs in which a cache fills to 20 MB before it is emptied.
        others: Bytes that another operation leaks in the same slots, between two jobs of this one.
        leak: Bytes that each job leaks, `leak_one_in` jobs giving them all at once.
    """

    sizes: Sizes = log_normal
    life: int = 500
    noise: float = 0.3 * MB
    memory: float = 0.0
    walk: float = 0.0
    warm_up: float = 8 * MB
    warm_jobs: float = 3.0
    tooth: int = 0
    others: float = 0.0
    leak: float = 0.0
    leak_one_in: int = 1


class Slot:
    """A simulated worker: an allocator that keeps a part of its high water, and gives the rest back with time."""

    def __init__(self, model: Model, number: int, rng: random.Random) -> None:
        self.number = number
        self.jobs = 0
        self.life = round(model.life * (1 - 0.2 * rng.random()))
        self.level = self.start = 60 * MB + rng.gauss(0, MB)
        self.first: float | None = None
        self._model, self._rng = model, rng
        self._high = self._slack = self._off = self._walked = self._leaked = self._others = 0.0

    def run(self, job: int) -> Receipt:
        model, rng = self._model, self._rng
        size = model.sizes(rng, job)
        need = (30 * MB + 0.8 * size) * rng.lognormvariate(0, 0.2)
        self._others += model.others
        base = self.level + model.others
        self._high = max(self._high, need * rng.uniform(0.9, 1.0))
        self._slack = max(0.02 * need, 0.8 * self._slack)
        self._off = model.memory * self._off + math.sqrt(1 - model.memory**2) * rng.gauss(0, model.noise)
        self._walked += rng.choice((-1, 1)) * model.walk
        self._leaked += model.leak * model.leak_one_in if rng.random() < 1 / model.leak_one_in else 0
        warm = model.warm_up * (1 - math.exp(-self.jobs / model.warm_jobs))
        tooth = 20 * MB * (self.jobs % model.tooth) / model.tooth if model.tooth else 0
        held = self.start + 0.15 * self._high + self._slack + self._off + self._walked + self._leaked + warm + tooth
        self.level = PAGE_BYTES * round((held + self._others) / PAGE_BYTES)
        self.first = self.level if self.first is None else self.first
        self.jobs += 1
        peak = int(base + max(0.0, need - 0.1 * self._high))
        return Receipt("job", "attempt", "ok", None, 1.0, base_bytes=int(base), retained_bytes=int(self.level - base),
                       peak_bytes=peak, slot=self.number, size_bytes=int(size))  # fmt: skip

    @property
    def worn(self) -> bool:
        return self.jobs >= self.life or (self.first is not None and self.level > self.first + GROWTH_BYTES)


def stream(model: Model, seed: str) -> Iterator[Receipt]:
    """Yield the receipts of 10 000 jobs on two slots; a worn slot is replaced by a new one."""
    rng = random.Random(seed)
    slots = [Slot(model, number, rng) for number in range(SLOTS)]
    born = SLOTS
    for job in range(JOBS):
        at = rng.randrange(SLOTS)
        if slots[at].worn:
            slots[at] = Slot(model, born, rng)
            born += 1
        yield slots[at].run(job)


class Trend:
    """A plain trend test on all levels, the naive way: least squares, asked again and again."""

    def __init__(self) -> None:
        self.n = self.x = self.y = self.xx = self.xy = self.yy = 0.0

    def add(self, value: float) -> None:
        x, y = self.n, value / MB
        self.n, self.x, self.y = self.n + 1, self.x + x, self.y + y
        self.xx, self.xy, self.yy = self.xx + x * x, self.xy + x * y, self.yy + y * y

    def grows(self) -> bool:
        if self.n < 30:
            return False
        sxx, sxy = self.xx - self.x**2 / self.n, self.xy - self.x * self.y / self.n
        left = self.yy - self.y**2 / self.n - sxy**2 / sxx
        return sxy / sxx > Z * math.sqrt(max(0.0, left) / (self.n - 2) / sxx)


@dataclass(frozen=True)
class Course:
    """How a stream went until its end or until growth was reported: at which job, and what the naive test said."""

    grew_at: int | None
    last: Kind
    detectable: float | None
    naive_ever: bool


def follow(model: Model, seed: str) -> Course:
    history, trend = History(), Trend()
    grew_at, naive_ever = None, False
    for job, receipt in enumerate(stream(model, seed), 1):
        history.add(receipt)
        trend.add((receipt.base_bytes or 0) + (receipt.retained_bytes or 0))
        if job % ASK_EVERY == 0:
            naive_ever = naive_ever or trend.grows()
            if history.verdict().kind is Kind.GROWING:
                grew_at = history.verdict().jobs
                break
    found = history.verdict()
    return Course(grew_at, found.kind, found.detectable_bytes, naive_ever)


CLEAN = {
    "log-normal sizes, slots of 500 jobs": Model(),
    "log-normal sizes, slots of 100 jobs": Model(life=100),
    "log-normal sizes, slots of 20 jobs": Model(life=20),
    "log-normal sizes, slots never replaced": Model(life=10**9),
    "nine small files, one large": Model(sizes=two_kinds),
    "sizes of a day": Model(sizes=day),
    "sizes of a day, slots never replaced": Model(sizes=day, life=10**9),
    "sizes that rise threefold": Model(sizes=rising, life=10**9),
    "levels that remember, 0.9 of the last": Model(memory=0.9, noise=MB),
    "levels that remember, 0.99 of the last": Model(memory=0.99, noise=3 * MB),
    "steps of 100 kB up or down, never taken back": Model(walk=0.1 * MB),
    "warm-up of 100 jobs in slots of 500": Model(warm_up=30 * MB, warm_jobs=33),
    "a cache emptied every 10 jobs": Model(tooth=10),
    "a cache emptied every 50 jobs": Model(tooth=50),
    "another operation leaks 300 kB a job": Model(others=0.3 * MB),
    "(limit) warm-up as long as a slot's life": Model(warm_up=60 * MB, warm_jobs=400),
    "(limit) a cache emptied every 400 jobs": Model(tooth=400),
}
LEAKING = {
    "20 kB a job": Model(leak=0.02 * MB),
    "100 kB a job": Model(leak=0.1 * MB),
    "100 kB a job, sizes of a day": Model(leak=0.1 * MB, sizes=day),
    "100 kB a job, slots of 100 jobs": Model(leak=0.1 * MB, life=100),
    "100 kB a job, all in one job of 25": Model(leak=0.1 * MB, leak_one_in=25),
    "1 MB a job": Model(leak=MB),
    "1 MB a job, sizes of a day": Model(leak=MB, sizes=day),
    "1 MB a job, slots of 100 jobs": Model(leak=MB, life=100),
    "1 MB a job, levels that remember": Model(leak=MB, memory=0.9, noise=MB),
    "10 MB a job": Model(leak=10 * MB),
}


def courses(pool: ProcessPoolExecutor, name: str, model: Model, streams: int) -> list[Course]:
    return list(pool.map(partial(follow, model), [f"{name} {run}" for run in range(streams)]))


def clean_table(pool: ProcessPoolExecutor, streams: int, only: str) -> None:
    print("\n| without a leak | streams with a false alarm | steady at the end | detectable | naive trend test |")
    print("|---|---|---|---|---|")
    for name, model in CLEAN.items():
        if only not in name:
            continue
        found = courses(pool, name, model, streams)
        alarms = sum(course.grew_at is not None for course in found)
        steady = sum(course.last is Kind.STEADY for course in found)
        naive = sum(course.naive_ever for course in found)
        known = [course.detectable for course in found if course.detectable is not None]
        detectable = f"{median(known) / 1000:.0f} kB" if known else "none"
        shares = [f"{100 * count / streams:.1f} %" for count in (alarms, steady)]
        print(f"| {name} | {' | '.join(shares)} | {detectable} | {100 * naive / streams:.0f} % |", flush=True)


def leaking_table(pool: ProcessPoolExecutor, streams: int, only: str) -> None:
    print("\n| a leak of | found | jobs until then, median | 19 of 20 |")
    print("|---|---|---|---|")
    for name, model in LEAKING.items():
        if only not in name:
            continue
        found = sorted(course.grew_at or JOBS * 10 for course in courses(pool, name, model, streams))
        share = 100 * sum(at <= JOBS for at in found) / streams
        middle, late = (found[math.ceil(part * streams) - 1] for part in (0.5, 0.95))
        told = [f"{at:,}" if at <= JOBS else "not found" for at in (middle, late)]
        print(f"| {name} | {share:.0f} % | {' | '.join(told)} |", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--streams", type=int, default=100, help="streams for each row without a leak")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    asked = parser.parse_args()
    streams = asked.streams
    started = time.perf_counter()
    with ProcessPoolExecutor() as pool:
        clean_table(pool, streams, asked.only)
        leaking_table(pool, max(1, streams // 5), asked.only)
    seconds = time.perf_counter() - started
    print(f"\nStreams per row: {streams}, and {max(1, streams // 5)} with a leak. {seconds:.0f} s.")


if __name__ == "__main__":
    main()
