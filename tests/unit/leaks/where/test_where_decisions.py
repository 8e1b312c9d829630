"""The pure parts: which lines grow, which calls keep what a sum gained, which line of a stack is named."""

from __future__ import annotations

import json
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from types import FrameType

import pytest

from tightship.leaks.where import holder, stack, trace
from tightship.leaks.where.block import Growth, Held, Look, explained, growing, share_of
from tightship.leaks.where.flow import accounting, keepers
from tightship.leaks.where.rerun import Rerun, limit, steps_that_show
from tightship.leaks.where.trace import auditing, hearing_thread_starts, tracing

A, B, C = ("/app/a.py", 1, "main"), ("/app/b.py", 2, "work"), ("/app/c.py", 3, "load")


def looks(*counts: tuple[int, int], total_per_step: float = 1.0, size_bytes: int = 100) -> list[Look]:
    """One look after each ten steps, with the blocks of lines A and B."""
    made = []
    for index, (first, second) in enumerate(counts):
        holding = {A: Held(first, first * size_bytes, (A,)), B: Held(second, second * size_bytes, (B,))}
        blocks = int(index * 10 * total_per_step)
        made.append(Look(index * 10, holding, blocks, blocks))
    return made


def test_a_line_that_grows_in_each_window_is_told() -> None:
    """A line that holds the same after every window is not."""
    found = growing(looks((5, 7), (15, 7), (25, 7), (35, 7), (45, 7)))

    assert [(growth.call, growth.blocks_per_step) for growth in found] == [(A, 1.0)]


def test_a_line_may_miss_one_window_but_not_two() -> None:
    """What grows and falls is no leak, what pauses once may be."""
    found = growing(looks((5, 5), (15, 15), (15, 5), (25, 15), (35, 5)))

    assert [growth.call for growth in found] == [A]


def test_a_line_that_all_blocks_do_not_back_is_not_believed() -> None:
    """New entries of a full cache grow under the instrument, the sum of all blocks does not."""
    counts = ((0, 0), (50, 0), (100, 0), (150, 0))

    assert growing(looks(*counts, total_per_step=0.2)) == []
    assert growing(looks(*counts, total_per_step=5.0)) != []


def test_large_blocks_need_no_backing_by_small_ones() -> None:
    """Blocks that come from malloc are not counted by Python's allocator."""
    found = growing(looks((0, 0), (10, 0), (20, 0), (30, 0), total_per_step=0.0, size_bytes=5000))

    assert [growth.call for growth in found] == [A]


def test_only_large_memory_explains_the_native_heap() -> None:
    """Small blocks lie in Python's arenas: they explain blocks and anonymous memory, not malloc's."""
    small, large = Growth(A, (A,), 4.0, 400.0), Growth(B, (B,), 1.0, 4000.0)

    assert share_of([small, large], "native_heap", 4000) == [(large, 4000.0)]
    assert share_of([small, large], "rss", 4400) == [(large, 4000.0)]
    assert explained([small, large], "python_blocks", 5.0) == 1.0


def test_the_call_that_accounts_for_the_growth_is_followed() -> None:
    """What is taken in one line and given back in another is not in the way."""
    rates = {(A,): 0.0, (A, B): 5000.0, (A, B, C): 200.0, (A, C): -5000.0}

    assert keepers(rates) == [((A, B, C), 200.0)] or keepers(rates) == [((A,), 200.0)]


@pytest.mark.parametrize(
    ("gains", "chosen"),
    [
        ({A: 200.0, B: 1000.0, C: -1000.0}, [A]),
        ({A: 100.0, B: 100.0, C: 1.0}, [A, B]),
        ({A: 5000.0, B: -4800.0}, []),
    ],
)
def test_calls_account_for_a_total(gains: dict[stack.Call | None, float], chosen: list[stack.Call]) -> None:
    """One that is near the total, or several that together are; else nobody is accused."""
    assert accounting(gains, 200.0) == chosen


def test_the_users_line_is_named_before_a_librarys() -> None:
    """With library calls alone, the innermost of them is."""
    library = (json.__file__, 10, "loads")

    assert stack.user_call((A, library)) == A
    assert stack.user_call((library,)) == library
    assert stack.user_call(()) is None


def test_a_functions_name_is_found_by_its_indentation() -> None:
    """tracemalloc keeps lines only; the report names the function as well."""
    code = test_a_functions_name_is_found_by_its_indentation.__code__

    found = stack.origin("memory", stack.stack_from_lines([(__file__, code.co_firstlineno + 2)]), 1.0)

    assert found.stack[0].endswith(f" in {code.co_name}")


def test_lines_of_the_instrument_are_left_out() -> None:
    """Its own memory is nobody's leak; what calls the step is where the stack begins."""
    from tightship.leaks.where import heap, rerun

    assert stack.stack_from_lines([("/app/a.py", 1), (heap.__file__, 5), (tracemalloc.__file__, 9)]) == ()
    assert stack.stack_from_lines([("/app/a.py", 1), (rerun.__file__, 5), ("/app/b.py", 2)]) == (("/app/b.py", 2, ""),)


def test_an_object_that_nobody_names_is_told_as_such() -> None:
    """The search ends without a root, and says so."""
    way = [object(), [1]]

    assert holder.words(way) == ("list, kept by a running function or by native code",)


@pytest.mark.parametrize(("slope", "steps"), [(1.0, 6), (0.05, 120), (0.0, 5), (1e-9, 600)])
def test_rare_growth_gets_more_steps(slope: float, steps: int) -> None:
    """As many as show it six times, within bounds."""
    assert steps_that_show(slope) == steps


def test_a_rerun_ends_with_its_part() -> None:
    """A step that fails in a part of the time ends the whole."""

    def fail() -> None:
        raise OSError

    whole = Rerun(fail, float("inf"))

    assert whole.for_at_most(10).run(3) == 0
    assert whole.over()
    assert whole.remaining_s() == 0


def traced(ended: Callable[[FrameType, int], None], work: Callable[[], object]) -> None:
    with tracing(ended, lambda: False):
        work()


def test_the_line_that_ran_is_told_after_it_ran() -> None:
    """Also when it is the last one of its function."""
    seen: list[tuple[str, int]] = []
    kept: list[int] = []

    def work() -> None:
        kept.append(1)
        kept.append(2)

    traced(lambda frame, line: seen.append((frame.f_code.co_name, len(kept))), work)

    assert seen.index(("work", 1)) < seen.index(("work", 2))


def test_tracing_ends_when_the_time_is_over() -> None:
    """The step goes on, at full speed."""
    seen: list[int] = []

    def work() -> None:
        for _ in range(1000):
            pass

    with tracing(lambda _, line: seen.append(line), lambda: len(seen) >= 10):
        work()
        assert sys.gettrace() is None

    assert len(seen) == 10


def test_a_thread_that_is_telling_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told reads a gauge, and that is closed when tracing is over."""
    monkeypatch.setattr(trace, "TELLING_S", 30.0)  # a busy machine may hold a thread up for seconds
    inside, told_while_open = threading.Event(), []
    is_open = True

    def ended(frame: FrameType, line: int) -> None:
        if frame.f_code.co_name == "stray":
            inside.set()
            threading.Event().wait(0.05)
            told_while_open.append(is_open)

    def stray() -> None:
        len("a line")
        len("another")

    thread = threading.Thread(target=stray)
    with tracing(ended, lambda: False):
        thread.start()
        assert inside.wait(10)
    is_open = False
    thread.join()

    assert told_while_open
    assert all(told_while_open)


def test_nothing_is_heard_after_listening() -> None:
    """The audit hook stays for ever, but does nothing; threads start as before."""
    heard: list[object] = []
    start = threading.Thread.start

    with auditing(["test.event"], lambda event, arguments, frame: heard.append((event, arguments))):
        sys.audit("test.event", 1)
        sys.audit("test.other", 2)
    with hearing_thread_starts(lambda thread, frame: heard.append(thread.name)):
        threading.Thread(name="heard").start()
    sys.audit("test.event", 3)

    assert heard == [("test.event", (1,)), "heard"]
    assert threading.Thread.start is start


def test_what_runs_the_step_is_no_holder() -> None:
    """A closure of the step is held by the instrument as well, which is not worth telling."""
    payload = [object()]
    rerun = Rerun(lambda: print(payload), 0.0)

    way = holder.search(payload[0], lambda: False, (id(sys._getframe()),))

    assert way[1] is payload
    assert not any(isinstance(thing, Rerun) for thing in way)
    assert holder.words(way)[0].startswith("list closure of function")
    assert rerun.over()


def test_a_thing_with_very_many_holders_is_soon_given_up() -> None:
    """An event loop is held by each of its timers: no more than some of them are looked at."""
    thing = object()
    held_by = [[thing] for _ in range(5000)]
    asked: list[None] = []

    def is_over() -> bool:
        asked.append(None)
        return False

    way = holder.search(thing, is_over, (id(held_by),))

    assert way[0] is thing
    assert len(asked) <= (holder.MAX_HOLDERS + 1) * holder.MAX_DEPTH
    assert len(held_by) == 5000


def test_a_search_for_holders_ends_when_its_time_is_over() -> None:
    """With the way that it has by then."""
    thing = object()
    assert holder.search(thing, lambda: True) == [thing]


def test_what_a_listener_does_itself_is_not_told() -> None:
    """It may raise the very event that it hears of."""
    heard: list[str] = []

    def again(event: str, _: tuple[object, ...], __: FrameType) -> None:
        heard.append(event)
        sys.audit("test.again")

    with auditing({"test.again"}, again):
        sys.audit("test.again")

    assert heard == ["test.again"]


@pytest.mark.parametrize(("cpu_s", "in_s"), [(0.0, 60.0), (60.0, 0.0)])
def test_a_search_is_limited_by_its_work_and_by_the_clock(cpu_s: float, in_s: float) -> None:
    """Whichever is over first."""
    assert limit(cpu_s, time.monotonic() + in_s)()
    assert not limit(60.0, time.monotonic() + 60.0)()
