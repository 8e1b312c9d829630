"""Registries of the interpreter and of libraries that only ever get longer, and steps in other forms."""

from __future__ import annotations

import atexit
import functools
import itertools
import random
import threading
import types
from contextlib import contextmanager

from benchmarks.leaks.corpus import GROWING, STEADY, case

leaking = functools.partial(case, kind="registries", expect=GROWING, metric="python_blocks")
clean = functools.partial(case, kind="registries", expect=STEADY)


@leaking()
def at_exit():
    """Each job registers its own clearing up for the end of the program."""

    def step():
        atexit.register(functools.partial(int, "1"))  # leak

    yield step


@leaking()
def modules_by_plugin():
    """A plugin is loaded under a new module name each time."""
    import sys

    names = []

    def step():
        names.append(f"corpus_plugin_{len(names)}")
        module = types.ModuleType(names[-1])  # leak
        exec("def run(x):\n    return x + 1\n", module.__dict__)  # leak
        sys.modules[names[-1]] = module

    yield step
    for name in names:
        del sys.modules[name]


@leaking()
def locks_by_key():
    """There is one lock for each key, and keys never come again."""
    locks, numbers = {}, itertools.count()

    def step():
        with locks.setdefault(f"key-{next(numbers)}", threading.Lock()):  # leak
            return

    yield step


@leaking()
def metrics_by_label():
    """A counter is kept for each label value, and the label is a user's id."""
    counters: dict[tuple[str, ...], list[float]] = {}

    def step():
        counters.setdefault(("requests", f"user-{random.getrandbits(60)}"), [0.0])[0] += 1  # leak

    yield step


@leaking()
def decorated_again_and_again():
    """Each call wraps a function once more instead of once."""
    wrapped = [str.strip]

    def step():
        inner = wrapped[0]
        wrapped[0] = lambda text: inner(text.strip())  # leak

    yield step
    wrapped.clear()


@leaking()
def entered_and_kept():
    """The step is a context manager, and what it made on entering stays."""
    entered = []

    @contextmanager
    def step():
        entered.append({"at": random.random()})  # leak
        yield

    yield step


@clean()
def entered_and_left():
    """The step is a context manager that clears up on leaving."""
    entered = []

    @contextmanager
    def step():
        entered.append({"at": random.random()})
        yield
        entered.pop()

    yield step


@clean()
def handler_set_and_restored():
    """A signal handler is set for the time of the work and restored after it."""
    import signal

    def step():
        before = signal.signal(signal.SIGUSR2, lambda *_: None)
        signal.signal(signal.SIGUSR2, before)

    yield step
