"""Letting go of one thing, and what is raised when several things fail."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from pathlib import Path

import pytest

from tightship.core.release import Held, failure, failure_async, outcome_of
from tightship.errors import ScopeMisused


def raiser(error: BaseException):
    """Return a function that raises `error`."""

    def fail() -> None:
        raise error

    return fail


def test_a_thing_is_known_by_identity():
    """Two equal lists are two things."""
    thing: list[int] = []
    held = Held("list", (thing,), list)
    assert held.is_known_as(thing)
    assert not held.is_known_as([])


def test_a_path_is_known_by_its_value():
    """A path written anew names the same file."""
    held = Held("file", (Path("/x/y"),), list)
    assert held.is_known_as(Path("/x") / "y")
    assert not held.is_known_as("/x/y")


def test_what_releases_well_has_no_failure():
    """Nothing raised, nothing returned."""
    assert failure(Held("fine", (), lambda: "a result")) is None


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_failure_is_returned(error):
    """Whatever is raised is handed back, interrupts too."""
    assert failure(Held("bad", (), raiser(error))) is error


def test_what_must_be_awaited_is_refused_without_a_loop():
    """A coroutine that nobody awaits would release nothing, in silence."""

    async def aclose() -> None:
        pytest.fail("never runs")

    assert isinstance(failure(Held("stream", (), aclose)), ScopeMisused)


def test_what_can_be_awaited_is():
    """Under a loop the release runs to its end."""
    done: list[str] = []

    async def aclose() -> None:
        await asyncio.sleep(0)
        done.append("closed")

    assert asyncio.run(failure_async(Held("stream", (), aclose))) is None
    assert done == ["closed"]


def test_what_blocks_runs_beside_the_loop():
    """A slow release does not stop the event loop."""
    threads: list[threading.Thread] = []
    held = Held("slow", (), lambda: threads.append(threading.current_thread()), blocking=True)
    assert asyncio.run(failure_async(held)) is None
    assert threads[0] is not threading.main_thread()


def test_what_blocks_is_finished_before_a_cancellation_is_told():
    """A cancelled task still releases all of it, then says that it was cancelled."""
    finished: list[str] = []
    go, begun = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go.wait(20)
        finished.append("done")

    async def main() -> BaseException | None:
        task = asyncio.ensure_future(failure_async(Held("slow", (), slow, blocking=True)))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
        return await task

    assert isinstance(asyncio.run(main()), asyncio.CancelledError)
    assert finished == ["done"]


def test_the_failure_of_what_blocks_is_returned():
    """An error in the thread comes back."""
    error = OSError("disk")
    assert asyncio.run(failure_async(Held("slow", (), raiser(error), blocking=True))) is error


def test_when_all_went_well_nothing_is_raised():
    """No error, none made up."""
    assert outcome_of("gif", None, []) is None


def test_the_bodys_error_alone_stays_as_it_is():
    """No group around a single cause."""
    error = ValueError("body")
    assert outcome_of("gif", error, []) is error


def test_errors_of_the_release_alone_are_grouped():
    """Even a single one, so that callers see one shape."""
    problem = outcome_of("gif", None, [OSError("a")])
    assert isinstance(problem, ExceptionGroup)
    assert [str(error) for error in problem.exceptions] == ["a"]
    assert "scope gif could not release" in str(problem)


def test_the_bodys_error_comes_first():
    """The first cause is never lost."""
    problem = outcome_of("gif", ValueError("body"), [OSError("a"), OSError("b")])
    assert isinstance(problem, ExceptionGroup)
    assert [str(error) for error in problem.exceptions] == ["body", "a", "b"]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit(1), asyncio.CancelledError(), GeneratorExit()])
def test_an_interrupt_of_the_body_is_raised_itself(interrupt):
    """Whoever waits for it sees it; what failed is told in notes."""
    assert outcome_of("gif", interrupt, [OSError("disk")]) is interrupt
    assert interrupt.__notes__ == ["Closing scope gif also raised OSError: disk"]


def test_an_interrupt_of_the_release_goes_before_the_bodys_error():
    """It must not be buried in a group."""
    interrupt = asyncio.CancelledError()
    assert outcome_of("gif", ValueError("body"), [OSError("disk"), interrupt]) is interrupt
    assert len(interrupt.__notes__) == 1


def test_the_end_of_the_program_goes_before_a_cancellation():
    """Of two interrupts the one for the whole program counts."""
    interrupt = KeyboardInterrupt()
    assert outcome_of("gif", asyncio.CancelledError(), [interrupt]) is interrupt


def test_a_returned_failure_is_in_no_cycle():
    """When the last reference goes, the error goes, without the collector."""

    class Fault(Exception):
        """An error that can be watched."""

    def fail() -> None:
        raise Fault

    gc.disable()
    try:
        seen = weakref.ref(failure(Held("bad", (), fail)))
        assert seen() is None
    finally:
        gc.enable()
