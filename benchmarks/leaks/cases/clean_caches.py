"""Caches, pools and tables that fill up and then stay as they are."""

from __future__ import annotations

import abc
import collections
import ctypes
import functools
import importlib
import itertools
import random
import re
import sys
import tempfile
import time
import weakref
from pathlib import Path

from benchmarks.leaks.corpus import STEADY, case

clean = functools.partial(case, kind="clean caches", expect=STEADY)


def filling(entries: int, make=lambda number: [f"{number}.{part}" for part in range(20)]):
    """Return a step that adds one entry to a table until it has so many."""
    table, numbers = {}, itertools.count()

    def step():
        number = next(numbers)
        if number < entries:
            table[number] = make(number)

    return step


@clean()
def full_after_50():
    """A table takes one more entry with each of 50 calls."""
    yield filling(50)


@clean()
def full_after_400():
    """A table takes one more entry with each of 400 calls."""
    yield filling(400)


@clean()
def full_after_400_with_large_entries():
    """A table of buffers of 20 KB is full after 400 calls."""
    yield filling(400, lambda _: bytearray(20_000))


@clean()
def full_after_2000():
    """A table takes one more entry with each of 2000 calls."""
    yield filling(2000)


@clean()
def warm_up_of_8000():
    """A table takes one more entry with each of 8000 calls."""
    yield filling(8000)


@clean()
def newest_512():
    """A cache of the 512 newest answers, asked for something new each time."""
    numbers = itertools.count()

    @functools.lru_cache(maxsize=512)
    def answer(number: int) -> list[str]:
        return [f"{number} {word}" for word in ("a", "b", "c")]

    yield lambda: answer(next(numbers))


@clean()
def cached_method_with_limit():
    """A bounded cache on a method keeps at most 128 instances."""

    class Shape:
        @functools.lru_cache(maxsize=128)  # noqa: B019 - bounded on purpose
        def area(self) -> float:
            return random.random()

    yield lambda: Shape().area()


@clean()
def few_keys_at_random():
    """Each call asks for one of 200 keys by chance, so that the last of them come late."""

    @functools.lru_cache(None)
    def rendered(key: int) -> list[str]:
        return [f"{key} {line}" for line in range(15)]

    yield lambda: rendered(random.randrange(200))


@clean()
def patterns_of_re():
    """A new pattern is matched each time; the module remembers 512 of them."""
    numbers = itertools.count()

    def step():
        assert re.match(f"a{next(numbers)}", "b") is None

    yield step
    re.purge()


@clean()
def last_1000_lines():
    """A ring holds the last 1000 lines of a log."""
    lines, numbers = collections.deque(maxlen=1000), itertools.count()
    yield lambda: lines.append([f"line {next(numbers)}"])


@clean()
def last_20_frames():
    """A ring holds the last 20 frames, 300 KB each."""
    frames = collections.deque(maxlen=20)
    yield lambda: frames.append(bytearray(b"x") * 300_000)


@clean()
def lazy_import():
    """The first call imports a module with tables of 20 MB."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tables_of_20_mb.py").write_text("rows = [f'row {number}' for number in range(250_000)]\n")
        sys.path.insert(0, folder)
        importlib.invalidate_caches()
        yield lambda: importlib.import_module("tables_of_20_mb").rows[random.randrange(1000)]
        sys.path.remove(folder)
        sys.modules.pop("tables_of_20_mb", None)


@clean()
def late_imports():
    """Calls 10, 30, 70 and 150 import one more module of 2 MB each."""
    with tempfile.TemporaryDirectory() as folder:
        names = {count: f"late_table_{count}" for count in (10, 30, 70, 150)}
        for name in names.values():
            Path(folder, f"{name}.py").write_text("rows = [f'row {number}' for number in range(25_000)]\n")
        sys.path.insert(0, folder)
        numbers = itertools.count()

        def step():
            if name := names.get(next(numbers)):
                importlib.invalidate_caches()
                importlib.import_module(name)

        yield step
        sys.path.remove(folder)
        for name in names.values():
            sys.modules.pop(name, None)


@clean()
def expires_after_50_ms():
    """Entries of a cache are dropped when they are 50 ms old."""
    entries: collections.deque[tuple[float, list[float]]] = collections.deque()

    def step():
        now = time.monotonic()
        entries.append((now, [random.random()]))
        while entries[0][0] < now - 0.05:
            entries.popleft()
        time.sleep(0.0005)

    yield step


@clean()
def fills_ever_slower():
    """A set of words sees new ones ever more rarely."""
    words: set[str] = set()
    yield lambda: words.add(f"word {int(random.expovariate(1 / 60))}")


@clean()
def growth_stops():
    """Buffers pile up for 150 calls, then the limit is reached and each new one replaces an old one."""
    buffers: list[bytes] = []

    def step():
        if len(buffers) < 150:
            buffers.append(bytes(5000))
        else:
            buffers[random.randrange(150)] = bytes(random.randrange(4500, 5500))

    yield step


@clean()
def weak_table():
    """A table holds its values weakly, and each dies with the next call."""

    class Document:
        pass

    table: weakref.WeakValueDictionary[int, Document] = weakref.WeakValueDictionary()
    numbers, current = itertools.count(), [Document()]

    def step():
        current[0] = Document()
        table[next(numbers)] = current[0]

    yield step


@clean()
def interned_names():
    """Names are interned, the same hundred again and again."""
    yield lambda: sys.intern(f"column_{random.randrange(100)}")


@clean()
def array_types_of_ctypes():
    """An array type for each of 50 lengths is made by ctypes."""
    yield lambda: ctypes.sizeof((ctypes.c_char * random.randrange(1, 51))())


@clean()
def dispatch_by_class():
    """A single dispatch sees a new class each time and forgets it with the class."""

    @functools.singledispatch
    def name(thing: object) -> str:
        return type(thing).__name__

    yield lambda: name(type("Fresh", (), {})())


@clean()
def checks_against_an_abstract_class():
    """Fresh classes are checked against an abstract one, which remembers them weakly."""

    class Readable(abc.ABC):  # noqa: B024 - it stands for any abstract class
        pass

    yield lambda: isinstance(type("Fresh", (), {})(), Readable)
