"""What a step may be."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import io
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tightship.leaks.fault import StepFailed
from tightship.leaks.step import Step, described, name_of, open_step
from tightship.leaks.watchdog import Hung


class Resource:
    """Something of the user's own that is entered and left."""

    opened = closed = 0

    def __enter__(self) -> None:
        type(self).opened += 1

    def __exit__(self, *_: object) -> None:
        type(self).closed += 1


def run(step: Callable[..., Any], count: int = 3, **around: Any) -> Step:
    with open_step(step, **around) as subject:
        subject.run(count)
    return subject


# --- kinds of step ------------------------------------------------------------------------------------


def test_a_function_is_called_with_each_step() -> None:
    """And steps are counted."""
    calls: list[None] = []
    assert run(lambda: calls.append(None)).count == 3
    assert len(calls) == 3


def test_async_steps_share_one_event_loop() -> None:
    """What one step starts, the next can meet."""
    loops = set()

    async def step() -> None:
        loops.add(asyncio.get_running_loop())

    run(step)
    assert len(loops) == 1


def test_an_async_call_behind_a_plain_function_is_awaited() -> None:
    """A lambda that calls an async function is async, too."""
    done = []

    async def work() -> None:
        done.append(True)

    run(lambda: work())  # noqa: PLW0108 - the lambda is what is tested
    assert len(done) == 3


@pytest.mark.parametrize("step", [Resource, lambda: Resource()])  # noqa: PLW0108 - a class is another case
def test_a_context_manager_is_entered_and_left(step: Callable[[], Resource]) -> None:
    """A class is, and so is what a function returns."""
    Resource.opened = Resource.closed = 0
    run(step)
    assert (Resource.opened, Resource.closed) == (3, 3)


def test_a_generator_context_manager_is_entered_and_left() -> None:
    """Plain and async ones."""
    seen = []

    @contextlib.contextmanager
    def plain() -> Any:
        seen.append("in")
        yield
        seen.append("out")

    @contextlib.asynccontextmanager
    async def later() -> Any:
        seen.append("in")
        yield
        seen.append("out")

    run(plain, 1)
    run(later, 1)
    assert seen == ["in", "out", "in", "out"]


def test_a_resource_that_a_function_returns_is_left_alone() -> None:
    """Closing it would hide that the step has not."""
    kept = []

    def step() -> io.BytesIO:
        kept.append(io.BytesIO())
        return kept[-1]

    run(step, 1)
    assert not kept[0].closed


def test_started_tasks_get_their_turn() -> None:
    """A task that only needs a turn of the loop is done before anybody looks."""
    done = []

    async def small() -> None:
        done.append(True)

    async def step() -> None:
        asyncio.get_running_loop().create_task(small())

    with open_step(step) as subject:
        subject.run(1)
        subject.turn()
    assert done == [True]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_that_is_kept_holds_no_new_frames_of_the_trial(is_async: bool) -> None:
    """What a step keeps must not depend on how often is looked: its errors hold the frames that called it."""
    kept: list[BaseException] = []

    def fail() -> None:
        try:
            raise ValueError
        except ValueError as error:
            kept.append(error)

    async def fail_later() -> None:
        fail()

    def kept_blocks(runs: int, steps_each: int) -> int:
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(runs):
            subject.run(steps_each)
        gc.collect()
        return sys.getallocatedblocks() - before

    with open_step(fail_later if is_async else fail) as subject:
        kept_blocks(1, 400)
        assert kept_blocks(400, 1) == pytest.approx(kept_blocks(1, 400), rel=0.1)


def test_steps_go_on_after_one_that_failed() -> None:
    """The error reaches whoever runs them, and does not end the step for good."""
    calls = iter([1, 0, 1, 1])
    with open_step(lambda: 1 / next(calls) and None) as subject:
        with pytest.raises(ZeroDivisionError):
            subject.run(3)
        subject.run(2)
    assert subject.count == 4


def test_a_step_may_raise_the_error_that_ends_iterators() -> None:
    """It is told as what it is, and the next step is run."""
    numbers: Iterator[int] = iter([1, 2])
    with open_step(lambda: next(numbers) and None) as subject:
        for count in (2, 1, 1):
            with pytest.raises(StopIteration) if count == 1 else contextlib.nullcontext():
                subject.run(count)
    assert subject.count == 4


@pytest.mark.parametrize("error", [Hung, KeyboardInterrupt, GeneratorExit, RuntimeError])
def test_steps_go_on_after_one_that_was_broken_off(error: type[BaseException]) -> None:
    """An alarm, an interrupt or an error of generators' own reaches whoever runs the steps."""
    calls = iter([True, False, True])

    def step() -> None:
        if not next(calls):
            raise error

    with open_step(step) as subject:
        with pytest.raises(error):
            subject.run(2)
        subject.run(1)
    assert subject.count == 3


def test_a_step_may_run_steps_itself() -> None:
    """Of its own object, too."""
    calls: list[int] = []

    def step() -> None:
        calls.append(len(calls))
        if len(calls) in (1, 3):
            subject.run(1)

    with open_step(step) as subject:
        subject.run(1)
        subject.run(1)
    assert subject.count == 4


def test_what_the_last_step_returned_is_not_held() -> None:
    """Nothing of a step outlives it for the trial's sake."""
    returned: list[weakref.ref[Resource]] = []

    def step() -> Resource:
        resource = Resource()
        returned.append(weakref.ref(resource))
        return resource

    with open_step(step) as subject:
        subject.run(2)
        gc.collect()
        assert [each() for each in returned] == [None, None]


# --- around the steps -----------------------------------------------------------------------------------


def test_what_setup_returns_goes_to_step_and_teardown() -> None:
    """If they take it."""
    seen: list[Any] = []
    run(lambda given: seen.extend([given]), 2, setup=lambda: "made", teardown=lambda given: seen.append([given]))
    assert seen == ["made", "made", ["made"]]


def test_step_and_teardown_need_not_take_it() -> None:
    """Arguments with a default of their own are not filled in."""
    seen: list[Any] = []
    run(lambda own="own": seen.append(own), 1, setup=lambda: "made", teardown=lambda: seen.append("down"))
    assert seen == ["own", "down"]


def test_an_async_setup_runs_in_the_loop_of_the_steps() -> None:
    """A client opened there can be used by the steps."""
    loops = []

    async def setup() -> None:
        loops.append(asyncio.get_running_loop())

    async def step(_: None) -> None:
        loops.append(asyncio.get_running_loop())

    run(step, 1, setup=setup)
    assert loops[0] is loops[1]


def test_a_failing_setup_says_so() -> None:
    """With its cause."""
    with pytest.raises(StepFailed, match="setup failed: ZeroDivisionError") as failed:
        run(lambda: None, setup=lambda: 1 / 0)
    assert isinstance(failed.value.__cause__, ZeroDivisionError)


def test_a_failing_teardown_says_so_unless_the_step_failed_before() -> None:
    """The first error is the one to tell."""
    with pytest.raises(StepFailed, match="teardown failed"):
        run(lambda: None, teardown=lambda: 1 / 0)
    with pytest.raises(KeyError), open_step(lambda: None, None, lambda: 1 / 0):
        raise KeyError


# --- names ----------------------------------------------------------------------------------------------------


def test_a_step_is_named_by_its_module_and_function() -> None:
    """Through partials, too; an object by its class."""
    assert name_of(run) == "tests.unit.leaks.test_step.run" or name_of(run).endswith("test_step.run")
    assert name_of(functools.partial(run, 1)) == name_of(run)
    assert name_of(Resource()).endswith("Resource")  # type: ignore[arg-type]


def test_an_error_without_text_is_named_by_its_type() -> None:
    """Nothing dangles."""
    assert described(KeyError()) == "KeyError"
