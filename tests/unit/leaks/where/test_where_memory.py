"""Memory that stays is located at its line: Python objects with their holders, native memory by its caller."""

from __future__ import annotations

import ctypes
import functools
import gc
import sys
import threading
import types
from collections.abc import Callable, Iterator

import pytest

from tightship.core.verdict import Kind
from tightship.leaks.report import Origin, Series
from tightship.leaks.where import locate
from tightship.leaks.where.native import native_heap

LineOf = Callable[[str], int]
MakeSeries = Callable[..., Series]
#: Bytes that a planted native leak takes.
NATIVE_BYTES = 2000


class Handler:
    """What is kept in vain."""

    def __init__(self, payload: object = None) -> None:
        self.payload = payload


class Logger:
    """Something with an attribute that grows."""

    def __init__(self) -> None:
        self.handlers: dict[int, Handler] = {}


CACHE: list[object] = []
LOGGER = Logger()
LOCAL = threading.local()
CALLBACKS: list[Callable[[], object]] = []
ERRORS: list[BaseException] = []


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    yield
    for kept in (CACHE, LOGGER.handlers, CALLBACKS, ERRORS, LOCAL.__dict__):
        kept.clear()
    gc.collect()


def where(step: Callable[[], object], series: Series, budget_s: float = 30.0) -> Origin:
    def one() -> None:
        step()

    return locate(one, [series], budget_s=budget_s, seed=7)[series.metric][0]


def test_a_growing_list_is_located_with_its_name(series: MakeSeries, line_of: LineOf) -> None:
    """The line, the type and the holder are told; memory that comes and goes is not."""

    def step() -> None:
        [Handler() for _ in range(50)]
        CACHE.append(Handler())  # leak: list

    found = where(step, series("python_blocks"))

    assert (found.file, found.line) == (__file__, line_of("list"))
    assert found.what.endswith("Handler")
    assert found.holders == (f'list "CACHE" in module {__name__}',)
    assert found.per_step == pytest.approx(2, abs=0.5)
    assert found.stack[-1].endswith("step")


def test_untracked_objects_are_found_through_their_holder(series: MakeSeries, line_of: LineOf) -> None:
    """Bytes have no entry in the collector; the list that holds them does."""

    def step() -> None:
        CACHE.append(bytes(200))  # leak: bytes

    found = where(step, series("python_blocks"))

    assert (found.what, found.line) == ("bytes", line_of("bytes"))
    assert found.holders == (f'list "CACHE" in module {__name__}',)


def test_an_attribute_is_told_with_its_owner(series: MakeSeries, line_of: LineOf) -> None:
    """The way goes through an instance's attribute up to the module."""

    def step() -> None:
        LOGGER.handlers[len(LOGGER.handlers)] = Handler()  # leak: attribute

    found = where(step, series("python_blocks"))

    assert found.line == line_of("attribute")
    assert found.holders == (
        f'dict attribute "handlers" of {__name__}.Logger',
        f'{__name__}.Logger "LOGGER" in module {__name__}',
    )


def test_a_closure_is_told_with_its_function(series: MakeSeries, line_of: LineOf) -> None:
    """What a kept function closes over stays with it."""

    def step() -> None:
        payload = Handler()  # leak: closure
        CALLBACKS.append(lambda: payload)

    origins = locate(step, [series("python_blocks", 4.0)], budget_s=30, seed=7)["python_blocks"]
    found = next(one for one in origins if one.line == line_of("closure") and "Handler" in one.what)

    assert found.holders[0].startswith("closure of function")
    assert found.holders[-1] == f'list "CALLBACKS" in module {__name__}'


def test_a_kept_exception_is_told_with_its_frame(series: MakeSeries, line_of: LineOf) -> None:
    """A local variable lives as long as the traceback of an exception that is kept."""

    def fail() -> None:
        payload = [Handler()]  # leak: traceback
        raise ValueError(payload)

    def step() -> None:
        try:
            fail()
        except ValueError as error:
            error.args = ()
            ERRORS.append(error)

    origins = locate(step, [series("python_blocks", 6.0)], budget_s=30, seed=7)["python_blocks"]
    found = next(one for one in origins if one.line == line_of("traceback"))

    assert any('"payload" in frame of' in holder and "traceback" in holder for holder in found.holders)
    assert found.holders[-1] == f'list "ERRORS" in module {__name__}'


def test_a_thread_local_and_a_default_argument_are_told(series: MakeSeries, line_of: LineOf) -> None:
    """Holders that are neither modules nor instances have words as well."""

    def collect(kept: list[object] = []) -> None:  # noqa: B006
        kept.append(Handler())  # leak: default

    def step() -> None:
        collect()
        LOCAL.__dict__.setdefault("kept", []).append(Handler())  # leak: local

    origins = locate(step, [series("python_blocks", 2.0)], budget_s=30, seed=7)["python_blocks"]
    by_line = {one.line: one.holders for one in origins}

    assert "default argument of function" in by_line[line_of("default")][0]
    assert by_line[line_of("local")][0] == 'list "kept" of a thread-local'


def test_a_cache_of_a_function_is_told(series: MakeSeries, line_of: LineOf) -> None:
    """An unbounded lru_cache is named by its function."""
    calls = iter(range(10**9))

    @functools.cache
    def load(number: int) -> Handler:
        return Handler()  # leak: lru_cache

    found = where(lambda: load(next(calls)), series("python_blocks", 3.0))

    assert found.line == line_of("lru_cache")
    assert "in the lru_cache of" in found.holders[0]


def test_large_python_memory_explains_the_native_heap(series: MakeSeries, line_of: LineOf) -> None:
    """Bytes that Python takes from malloc are told as what they are."""

    def step() -> None:
        CACHE.append(bytearray(5000))  # leak: large

    found = where(step, series("native_heap", 5000.0))

    assert (found.what, found.line) == ("bytearray", line_of("large"))
    assert found.per_step == pytest.approx(5000, rel=0.2)


def test_a_full_cache_is_not_the_leak(series: MakeSeries, line_of: LineOf) -> None:
    """A cache replaces its entries for ever: its line is new to the instrument, yet all blocks together do not grow."""
    ring = [Handler() for _ in range(1000)]
    steps = iter(range(10**9))

    def step() -> None:
        for _ in range(10):
            ring[next(steps) % 1000] = Handler()
        CACHE.append(Handler())  # leak: behind the cache

    origins = locate(step, [series("python_blocks")], budget_s=30, seed=7)["python_blocks"]

    assert [one.line for one in origins] == [line_of("behind the cache")]


def test_what_only_the_collector_frees_is_located(series: MakeSeries, line_of: LineOf) -> None:
    """Cycles are found while the collector is off."""

    def step() -> None:
        first, second = Handler(), Handler()  # leak: cycle
        first.payload, second.payload = second, first

    found = where(step, series("python_blocks", 0.0, Kind.STEADY))

    assert found.line == line_of("cycle")
    assert "Handler, released only by the garbage collector" in found.what


def malloc() -> Callable[[int], object]:
    function = ctypes.CDLL(None).malloc
    function.argtypes, function.restype = [ctypes.c_size_t], ctypes.c_void_p
    return function


@pytest.mark.skipif(native_heap() is None, reason="no mallinfo2 in this C library")
@pytest.mark.parametrize("with_memray", [False, True])
def test_native_memory_is_located_by_its_caller(
    with_memray: bool, series: MakeSeries, line_of: LineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is found also where other lines take memory and give it back, with memray and without it."""
    if with_memray:
        pytest.importorskip("memray")
    else:
        monkeypatch.setitem(sys.modules, "memray", None)
    take, give = malloc(), ctypes.CDLL(None).free
    give.argtypes = [ctypes.c_void_p]

    def work() -> None:
        buffer = take(50_000)
        take(NATIVE_BYTES)  # leak: native
        give(buffer)

    def step() -> None:
        bytearray(100_000)
        work()

    found = where(step, series("native_heap", float(NATIVE_BYTES)))

    assert (found.file, found.line) == (__file__, line_of("native"))
    assert found.what.startswith("native memory")
    assert found.per_step == pytest.approx(NATIVE_BYTES, rel=0.2)


def test_native_memory_without_a_line_is_told_honestly(series: MakeSeries, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no line accounts for is said to be native, with the growth that the trial saw."""
    monkeypatch.setitem(sys.modules, "memray", None)

    found = where(lambda: None, series("native_heap", 300.0), budget_s=2)

    assert (found.file, found.line, found.per_step) == (None, None, 300.0)
    assert found.what.startswith("native memory")


def test_a_busy_memray_is_left_alone(series: MakeSeries, line_of: LineOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """When another run tracks memory, the search does without."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("No more than one Tracker instance can be active at the same time")

    monkeypatch.setitem(sys.modules, "memray", types.SimpleNamespace(Tracker=refuse))
    take = malloc()

    def step() -> None:
        take(NATIVE_BYTES)  # leak: without memray

    found = where(step, series("native_heap", float(NATIVE_BYTES)))

    assert found.line == line_of("without memray")
