"""Python objects that stay, each in the way that users meet."""

from __future__ import annotations

import contextvars
import functools
import itertools
import linecache
import logging
import os
import pickle
import random
import signal
import warnings
import weakref
from unittest.mock import Mock

from benchmarks.leaks.corpus import GROWING, case

leaking = functools.partial(case, kind="python memory", expect=GROWING, metric="python_blocks")

_results: list[object] = []


@leaking()
def one_object_a_step():
    """A module's list gets one small object with each call, the smallest leak there is."""
    _results.append(object())  # leak


@leaking()
def results_by_request():
    """Answers are kept by a request id that never comes again."""
    answers: dict[str, dict[str, object]] = {}
    numbers = itertools.count()

    def step():
        answers[f"request-{next(numbers)}"] = {"status": 200, "body": list(range(300, 310))}  # leak

    yield step


@leaking()
def cached_method():
    """An unbounded cache on a method keeps every instance."""

    class Shape:
        def __init__(self, sides: int) -> None:
            self.sides = [float(side) for side in range(sides)]

        @functools.lru_cache(None)  # noqa: B019 - this is the leak
        def area(self) -> float:
            return sum(self.sides)

    def step():
        Shape(8).area()  # leak

    yield step


@leaking()
def log_handler_at_each_call():
    """Set-up code that runs at each call adds one more handler to a logger."""
    logger = logging.getLogger("corpus.handlers")
    logger.propagate = False

    def step():
        handler = logging.NullHandler()  # leak
        logger.addHandler(handler)

    yield step
    logger.handlers.clear()


@leaking()
def logger_by_job():
    """Loggers named by job are kept by the logging module for ever."""
    numbers = itertools.count()

    def step():
        logging.getLogger(f"corpus.job.{next(numbers)}").debug("done")  # leak

    yield step


@leaking()
def context_variable_at_each_call():
    """A context variable made in a function stays in the context it was set in."""

    def step():
        contextvars.ContextVar("request").set(object())  # leak

    yield step


@leaking()
def finalizer_on_a_long_life():
    """Each call registers a finalizer on an object that outlives them all."""

    class Session:
        pass

    session = Session()

    def step():
        weakref.finalize(session, print, "bye").atexit = False  # leak

    yield step


@leaking()
def signal_handlers_chained():
    """Each call wraps the signal handler that was there before."""
    original = signal.getsignal(signal.SIGUSR1)

    def step():
        previous = signal.getsignal(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, lambda number, frame: callable(previous) and previous(number, frame))  # leak

    yield step
    signal.signal(signal.SIGUSR1, original)


@leaking()
def classes_registered():
    """A class is made with each call, and a registry keeps it."""
    registry: dict[str, type] = {}
    numbers = itertools.count()

    def step():
        name = f"Model{next(numbers)}"
        registry[name] = type(name, (), {"fields": ("a", "b")})  # leak

    yield step


@leaking()
def errors_kept_with_traceback():
    """Errors are collected for a summary, and each keeps its frames and what was in them."""
    errors: list[Exception] = []

    def read(size: int) -> None:
        numbers = [float(number) for number in range(size)]  # leak
        raise ValueError(len(numbers))

    def step():
        try:
            read(20)
        except ValueError as error:
            errors.append(error)

    yield step


@leaking()
def exception_path():
    """A queue without doubles forgets to release the id of a job that fails, one in three."""
    busy: set[str] = set()
    numbers = itertools.count()

    def run(number: int) -> None:
        job = f"job-{number}"  # leak
        busy.add(job)
        if number % 3 == 0:
            raise RuntimeError(job)
        busy.discard(job)

    def step():
        try:
            run(next(numbers))
        except RuntimeError:
            return

    yield step


@leaking()
def one_step_in_25():
    """Only one call in 25 keeps something, 4 KB of small objects."""
    kept = []
    numbers = itertools.count(1)

    def step():
        if next(numbers) % 25 == 0:
            kept.append([f"row {number}" for number in range(60)])  # leak

    yield step


@leaking()
def one_in_25_at_random():
    """About one call in 25 keeps a record."""
    kept = []

    def step():
        if random.random() < 0.04:
            kept.append({"row": [f"cell {number}" for number in range(20)]})  # leak

    yield step


@leaking()
def kilobyte_under_noise():
    """1 KB of small objects stays with each step while up to 1.7 MB of them come and go."""
    kept = []
    working = []

    def step():
        working[:] = [str(number) for number in range(random.randrange(28_000))]
        kept.append([f"name {number}" for number in range(16)])  # leak

    yield step


@leaking()
def under_a_sawtooth():
    """A buffer of rows is flushed each 100 steps, and one row in it is also kept elsewhere."""
    buffer, history = [], []

    def step():
        row = {"values": [random.random() for _ in range(5)]}  # leak
        buffer.append({"values": [random.random() for _ in range(20)]})
        history.append(row)
        if len(buffer) >= 100:
            buffer.clear()

    yield step


@leaking()
def beside_a_filling_cache():
    """A bounded cache fills while a list without bound grows."""
    kept = []

    @functools.lru_cache(maxsize=300)
    def parsed(number: int) -> list[str]:
        return [f"{number}.{part}" for part in range(30)]

    numbers = itertools.count()

    def step():
        parsed(next(numbers))
        kept.append((random.random(), random.random()))  # leak

    yield step


@leaking()
def lagging_reader():
    """Two readers share a stream, and one never reads: what the other has read is kept for it."""
    fast, slow = itertools.tee(f"line {number}" for number in itertools.count())

    def step():
        next(fast)  # leak

    yield step
    del slow


@leaking()
def mock_records_calls():
    """A mock in the way of a hot function remembers every call."""
    client = Mock()

    def step():
        client.send("payload", retries=random.random())  # leak

    yield step


@leaking()
def pickler_with_memory():
    """A pickler that is kept remembers each object it has written."""

    class Sink:
        def write(self, data: bytes) -> int:
            return len(data)

    pickler = pickle.Pickler(Sink())

    def step():
        pickler.dump([random.random(), "text"])  # leak

    yield step


@leaking()
def warnings_each_with_its_own_text():
    """A warning whose text differs each time is remembered each time."""
    shown = warnings.showwarning

    def step():
        warnings.warn(f"slow answer after {random.random()} s", stacklevel=1)  # leak

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda *_, **__: None
        yield step
    warnings.showwarning = shown


@leaking()
def generated_source_lines():
    """Generated code leaves its source in the line cache, so that tracebacks can show it."""
    numbers = itertools.count()
    names = []

    def step():
        name, source = f"<generated {next(numbers)}>", "def double(x):\n    return 2 * x\n"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)  # leak
        names.append(name)

    yield step
    for name in names:
        linecache.cache.pop(name, None)


@leaking()
def environment_variables():
    """Each job leaves a variable in the environment."""
    names = []

    def step():
        names.append(f"CORPUS_JOB_{len(names)}")
        os.environ[names[-1]] = "x" * 50  # leak

    yield step
    for name in names:
        del os.environ[name]


@leaking()
def observers_never_removed():
    """A view subscribes to a model with each call and is never unsubscribed."""
    listeners = []

    class View:
        def __init__(self) -> None:
            self.cells = [[0.5] for _ in range(10)]

        def changed(self) -> None:
            self.cells.clear()

    def step():
        listeners.append(View().changed)  # leak

    yield step


@leaking()
def reading_makes_entries():
    """A default dictionary is only asked, and each question makes an entry."""
    from collections import defaultdict

    counts: defaultdict[str, list[int]] = defaultdict(list)

    def step():
        return len(counts[f"user-{random.getrandbits(60)}"])  # leak

    yield step


@leaking()
def history_linked():
    """Each state keeps the one before it, in a chain without end."""

    class State:
        def __init__(self, before: object) -> None:
            self.before, self.values = before, [random.random()]

    state = [None]

    def step():
        state[0] = State(state[0])  # leak

    yield step
    while state[0] is not None:
        state[0] = state[0].before
