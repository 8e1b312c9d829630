"""Scopes: owning, letting go, closing, and the receipt."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path

import pytest

from tightship.core import scope as module
from tightship.core.scope import Scope
from tightship.core.scratch import ScratchRoot
from tightship.errors import Cancelled, ReleaseFailed, ScopeMisused
from tightship.testing import FakeClock

MIB = 2**20
SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]


@pytest.fixture
def scope(tmp_path):
    return Scope("gif", scratch=tmp_path / "scratch", settle_over_bytes=1 << 50)


class Thing:
    """Something with `close()`."""

    def __init__(self, log: list[str], name: str, error: BaseException | None = None) -> None:
        self.log = log
        self.name = name
        self.error = error

    def close(self) -> None:
        """Tell that it was closed, then fail when it has to."""
        self.log.append(self.name)
        if self.error is not None:
            raise self.error


class AsyncThing(Thing):
    """Something with both endings."""

    async def aclose(self) -> None:
        """Tell that it was awaited."""
        await asyncio.sleep(0)
        self.log.append(f"{self.name} awaited")


# --- using it once ---------------------------------------------------------------------------------


def test_a_scope_is_used_once(scope):
    """It cannot be entered again, whether it is open or closed."""
    with scope, pytest.raises(ScopeMisused, match="is open; a scope is used once"):
        scope.__enter__()
    with pytest.raises(ScopeMisused, match="is closed; a scope is used once"):
        scope.__enter__()


@pytest.mark.parametrize(
    "use",
    [
        lambda scope: scope.temp_file(),
        lambda scope: scope.temp_folder(),
        lambda scope: scope.popen(SLEEP),
        lambda scope: scope.closing(Thing([], "x")),
        lambda scope: scope.callback(print),
        lambda scope: scope.enter(contextlib.nullcontext()),
        lambda scope: scope.release(print),
    ],
    ids=["temp_file", "temp_folder", "popen", "closing", "callback", "enter", "release"],
)
def test_a_scope_is_used_while_it_is_open(scope, use):
    """Neither before nor after can it own anything."""
    with pytest.raises(ScopeMisused, match="is new"):
        use(scope)
    with scope:
        pass
    with pytest.raises(ScopeMisused, match="is closed"):
        use(scope)


def test_nothing_is_acquired_while_it_closes(scope):
    """A release that acquires would never end."""
    with pytest.raises(ExceptionGroup) as caught, scope:
        scope.callback(scope.temp_file)
    assert isinstance(caught.value.exceptions[0], ScopeMisused)


def test_there_is_no_receipt_before_the_end(scope):
    """An open scope has no account yet."""
    with scope, pytest.raises(ScopeMisused, match="once it is closed"):
        scope.receipt


# --- what it owns ----------------------------------------------------------------------------------


def test_temporary_files_and_folders_go(scope, tmp_path):
    """After closing, nothing is left in the scratch root."""
    with scope:
        file, folder = scope.temp_file(".gif"), scope.temp_folder()
        (folder / "frame").write_bytes(b"x")
        assert file.name.endswith(".gif")
        assert file.is_file()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_scratch_folder_says_whose_it_is(scope):
    """What a crash leaves, a later sweep can find."""
    with scope:
        assert scope.temp_file().parent.name.startswith(f"{os.getpid()}-")


def test_a_file_that_was_moved_away_is_kept(scope, tmp_path):
    """The usual way to write a result: beside, then moved into place."""
    with scope:
        scope.temp_file().replace(tmp_path / "result")
    assert (tmp_path / "result").exists()


def test_a_scratch_root_may_be_given(tmp_path):
    """A root that others sweep is used as it is."""
    with Scope("gif", scratch=ScratchRoot(tmp_path / "root")) as scope:
        assert scope.temp_file().is_relative_to(tmp_path / "root")


def test_without_a_scratch_root_the_users_is_taken(monkeypatch, tmp_path):
    """By default files go to the system's place for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Scope("gif") as scope:
        assert scope.temp_file().is_relative_to(ScratchRoot.of_user().path)


def test_without_files_no_folder_is_made(scope, tmp_path):
    """A scope that needs no scratch touches no disk."""
    with scope:
        pass
    assert not (tmp_path / "scratch").exists()


def test_children_are_ended_and_reaped(scope):
    """No child survives its scope, and no zombie stays."""
    with scope:
        process = scope.popen(SLEEP, stdout=subprocess.PIPE)
        assert os.getsid(process.pid) == process.pid
    assert process.returncode == -15
    assert process.stdout.closed
    assert scope.receipt.children == 0


def test_things_are_closed_last_in_first_out(scope):
    """What was acquired later may depend on what was there before."""
    log: list[str] = []
    with scope:
        scope.closing(Thing(log, "first"))
        scope.callback(log.append, "second")
        scope.enter(contextlib.closing(Thing(log, "third")))
    assert log == ["third", "second", "first"]


def test_what_cannot_be_closed_is_refused(scope):
    """Better now than at the end."""
    with scope, pytest.raises(TypeError, match="object has no close"):
        scope.closing(object())


def test_entering_gives_what_the_manager_gives(scope):
    """The same as a with statement would."""
    with scope:
        assert scope.enter(contextlib.nullcontext("given")) == "given"


def test_a_callback_takes_arguments_by_name(scope):
    """Arguments are handed on."""
    seen: dict[str, int] = {}
    with scope:
        scope.callback(seen.update, a=1)
    assert seen == {"a": 1}


# --- letting go early -------------------------------------------------------------------------------


def test_each_thing_can_be_released_early(scope):
    """Released things are gone at once, and not released again."""
    log: list[str] = []
    with scope:
        file, folder, process = scope.temp_file(), scope.temp_folder(), scope.popen(SLEEP)
        thing, function = scope.closing(Thing(log, "thing")), scope.callback(log.append, "called")
        manager = contextlib.closing(Thing(log, "managed"))
        scope.enter(manager)
        for each in (file, folder, process, thing, function, manager):
            scope.release(each)
        assert not file.exists()
        assert not folder.exists()
        assert process.returncode is not None
    assert log == ["thing", "called", "managed"]
    assert scope.receipt.released == ()


def test_what_a_manager_gave_releases_it(scope):
    """One has the open file at hand, not the manager."""
    log: list[str] = []
    with scope:
        scope.release(scope.enter(contextlib.closing(Thing(log, "given"))))
        assert log == ["given"]


def test_what_it_does_not_hold_cannot_be_released(scope):
    """A second release is a mistake, too."""
    with scope:
        file = scope.temp_file()
        scope.release(file)
        with pytest.raises(ScopeMisused, match="does not hold"):
            scope.release(file)


def test_an_early_release_that_fails_raises_and_is_told(scope):
    """The error is the caller's at once; the receipt remembers what is still there."""
    with scope:
        thing = scope.closing(Thing([], "stuck", OSError("no")))
        with pytest.raises(OSError, match="no"):
            scope.release(thing)
    assert scope.receipt.left_behind == ("Thing stuck",)
    assert scope.receipt.outcome == "ok"


# --- errors ------------------------------------------------------------------------------------------


def test_the_bodys_error_propagates_as_it_is(scope):
    """Nothing failed on release: no group."""
    with pytest.raises(ValueError, match="body"), scope:
        raise ValueError("body")
    assert (scope.receipt.outcome, scope.receipt.cause) == ("failed", "ValueError")


def failing(scope: Scope, *things: Thing, body: BaseException | None = None) -> BaseException:
    """Return what a scope raises that holds `things` and whose body raises `body`."""
    try:
        with scope:
            for thing in things:
                scope.closing(thing)
            if body is not None:
                raise body
    except BaseException as error:  # noqa: BLE001 - the test is about what is raised
        return error
    pytest.fail("the scope raised nothing")


def test_every_failing_release_is_told(scope):
    """One failure stops neither the others nor their telling."""
    log: list[str] = []
    problem = failing(scope, Thing(log, "a", OSError("a")), Thing(log, "b"), Thing(log, "c", OSError("c")))
    assert log == ["c", "b", "a"]
    assert [str(error) for error in problem.exceptions] == ["c", "a"]
    assert scope.receipt.left_behind == ("Thing c", "Thing a")
    assert (scope.receipt.outcome, scope.receipt.cause) == ("failed", "OSError")


def test_the_bodys_error_leads_the_group(scope):
    """Body and release failed: the first cause comes first and names the receipt's."""
    problem = failing(scope, Thing([], "a", OSError("a")), body=ValueError("body"))
    assert type(problem) is ExceptionGroup
    assert [str(error) for error in problem.exceptions] == ["body", "a"]
    assert scope.receipt.cause == "ValueError"


def test_an_interrupt_is_raised_itself(scope):
    """KeyboardInterrupt must reach whoever waits for it, whatever else failed."""
    interrupt = KeyboardInterrupt()
    assert failing(scope, Thing([], "a", OSError("a")), body=interrupt) is interrupt
    assert interrupt.__notes__ == ["Closing scope gif also raised OSError: a"]
    assert scope.receipt.outcome == "cancelled"


def test_an_interrupt_while_releasing_does_not_stop_the_release(scope):
    """The rest is released, then the interrupt goes on, with the body's error as its context."""
    log: list[str] = []
    body, interrupt = ValueError("body"), KeyboardInterrupt()
    assert failing(scope, Thing(log, "rest"), Thing(log, "interrupted", interrupt), body=body) is interrupt
    assert log == ["interrupted", "rest"]
    assert interrupt.__context__ is body


def test_our_own_cancellation_is_cancelled(scope):
    """The receipt tells a cancelled attempt from a failed one."""
    with pytest.raises(Cancelled), scope:
        raise Cancelled("stop")
    assert scope.receipt.outcome == "cancelled"


def test_scratch_that_cannot_be_removed_is_an_error(scope, monkeypatch):
    """It is told by path, and its size is in the receipt."""
    monkeypatch.setattr(module, "remove_tree", lambda path: [str(path)])
    with pytest.raises(ExceptionGroup) as caught, scope:
        scope.temp_file().write_bytes(os.urandom(MIB))
    assert {type(error) for error in caught.value.exceptions} == {ReleaseFailed}
    assert "scratch folder" in scope.receipt.left_behind
    assert scope.receipt.scratch_bytes >= MIB


class Fault(Exception):
    """An error that can be watched."""


class Interrupt(BaseException):
    """An interrupt that can be watched."""


@pytest.mark.parametrize("kind", [Fault, Interrupt])
@pytest.mark.parametrize("release_fails", [False, True])
def test_a_closed_scope_keeps_no_error_alive(scope, kind, release_fails):
    """Neither the scope nor a cycle holds the error and, through its traceback, all that the body held."""

    def fail() -> None:
        raise OSError("release")

    def run() -> weakref.ref[BaseException]:
        try:
            with scope:
                if release_fails:
                    scope.callback(fail)
                raise kind
        except ExceptionGroup as group:
            return weakref.ref(group.exceptions[0])
        except kind as error:
            return weakref.ref(error)

    gc.disable()
    try:
        assert run()() is None
    finally:
        gc.enable()


def test_a_closed_scope_keeps_nothing_it_owned(scope):
    """What was closed can be freed while the scope, with its receipt, is kept."""
    with scope:
        seen = weakref.ref(scope.closing(Thing([], "large")))
    assert seen() is None


# --- under an event loop -----------------------------------------------------------------------------


def test_under_a_loop_things_are_awaited(scope):
    """`aclose()` goes before `close()`, callbacks may be coroutines, order is kept."""
    log: list[str] = []

    async def note() -> None:
        log.append("callback")

    async def main() -> None:
        async with scope:
            scope.closing(AsyncThing(log, "first"))
            scope.callback(note)
            scope.closing(Thing(log, "last"))

    asyncio.run(main())
    assert log == ["last", "callback", "first awaited"]


def test_without_a_loop_the_plain_close_is_called(scope):
    """A thing with both endings works in both worlds."""
    log: list[str] = []
    with scope:
        scope.closing(AsyncThing(log, "thing"))
    assert log == ["thing"]


def test_early_release_can_be_awaited(scope):
    """What must be awaited is released early by `release_async`."""
    log: list[str] = []

    async def main() -> None:
        async with scope:
            thing = scope.closing(AsyncThing(log, "thing"))
            await scope.release_async(thing)
            assert log == ["thing awaited"]

    asyncio.run(main())
    assert log == ["thing awaited"]


def test_a_cancelled_task_stays_cancelled(scope):
    """The scope's failures do not turn a cancellation into something the loop does not know."""

    async def work() -> None:
        async with scope:
            scope.closing(Thing([], "a", OSError("a")))
            await asyncio.sleep(300)

    async def main() -> bool:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(main())
    assert (scope.receipt.outcome, scope.receipt.cause) == ("cancelled", "CancelledError")


def test_a_timeout_around_a_scope_is_a_timeout(scope):
    """`asyncio.timeout` gets its own cancellation back, and children are ended meanwhile."""

    async def main() -> int | None:
        try:
            async with asyncio.timeout(0.05), scope:
                process = scope.popen(SLEEP)
                await asyncio.sleep(300)
        except TimeoutError:
            return process.returncode

    assert asyncio.run(main()) == -15


# --- the receipt -------------------------------------------------------------------------------------


def test_a_receipt_says_what_was_still_open(scope):
    """By readable names, in the order of release; what was released early is not in it."""
    with scope:
        file = scope.temp_file(".gif")
        process = scope.popen(SLEEP)
        scope.release(scope.temp_folder())
        scope.closing(Thing([], "movie.mp4"))
        scope.callback(gc.isenabled)
    assert scope.receipt.released == (
        "callback isenabled",
        "Thing movie.mp4",
        f"process {process.pid} ({Path(sys.executable).name})",
        f"temporary file {file.name}",
    )


def test_a_receipt_tells_what_was_leaked(scope):
    """A file left open outside of the scope's care is one descriptor more."""
    with scope:
        leaked = os.open(os.devnull, os.O_RDONLY)
    assert scope.receipt.fds == 1
    os.close(leaked)


def test_a_receipt_tells_peak_and_rest(scope):
    """What was held inside is in the peak, what was given back is not retained."""
    with scope:
        block = b"x" * (60 * MIB)
        del block
    receipt = scope.receipt
    assert receipt.peak_bytes - receipt.base_bytes > 55 * MIB
    assert receipt.retained_bytes < 20 * MIB


def test_a_receipt_tells_the_time_of_its_clock(tmp_path):
    """The clock that was handed in counts."""
    clock = FakeClock()
    with Scope("gif", kind="session", clock=clock) as scope:
        clock.advance(12)
    assert (scope.receipt.wall_s, scope.receipt.kind, scope.receipt.name) == (12, "session", "gif")


def test_settling_is_asked_for_by_size(monkeypatch, tmp_path):
    """The scope's threshold decides whether memory is collected and trimmed."""
    gc.disable()
    try:
        with Scope("gif", settle_over_bytes=1 << 50):
            seen = weakref.ref(Cycle())
        assert seen() is not None
        with Scope("gif"):
            pass
        assert seen() is None
    finally:
        gc.enable()


class Cycle:
    """Garbage that only the collector frees."""

    def __init__(self) -> None:
        self.self = self


# --- how it shows itself ------------------------------------------------------------------------------


def test_it_tells_its_state():
    """The state, the reservation and what it holds can be read off it."""
    scope = Scope("gif", reservation_bytes=512 * MIB)
    assert repr(scope) == "<Scope gif (attempt): new, reserved 512 MiB, holds nothing>"
    with scope:
        scope.closing(Thing([], "movie.mp4"))
        assert repr(scope) == "<Scope gif (attempt): open, reserved 512 MiB, holds Thing movie.mp4>"
    assert repr(scope) == "<Scope gif (attempt): closed, ok>"
