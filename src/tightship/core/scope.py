"""A lifetime that owns what is acquired in it, and closes with a receipt."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from tightship.core.account import Account
from tightship.core.child import Child
from tightship.core.clock import Clock, SystemClock
from tightship.core.receipt import Kind, Receipt
from tightship.core.release import Held, failure, failure_async, outcome_of
from tightship.core.scratch import ScratchRoot, remove_tree
from tightship.errors import ReleaseFailed, ScopeMisused
from tightship.units import format_bytes

T = TypeVar("T")

#: Seconds that a child gets between SIGTERM and SIGKILL: enough to finish a write, short enough to wait for.
KILL_GRACE_S = 2.0


class Scope:
    """Own temporary files, child processes and whatever can be closed; release all of it at the end, last in first out.

    Use it once, with `with` or `async with`, from one thread. Closing has three steps: release what is still held;
    settle (`tightship.core.settle`: collect garbage, trim the allocator - in a server this holds up the other threads
    for the time of one collection); and write the receipt. The receipt is that of the process: where other things run
    beside the scope, what they hold is in it too.

    Errors: when only the body failed, its error is raised as it is; when releasing failed too, an `ExceptionGroup` is
    raised with the body's error first; when only releasing failed, a group of its errors. An interrupt such as
    KeyboardInterrupt or asyncio.CancelledError is always raised itself, with the others as notes. Once closed, the
    scope holds neither errors nor what it owned.

    Args:
        name: What runs in it; it is in the receipt and in the names of its scratch folders.
        kind: Which lifetime it is.
        scratch: Where its temporary files go, below a folder of their own; by default a folder of this user's in the
            system's place for temporary files.
        reservation_bytes: Memory it is meant to stay within; told by `repr`, enforced elsewhere.
        clock: Measures the receipt's seconds.
        settle_over_bytes: Settle only when the process holds this much.
        kill_grace_s: Seconds a child process gets between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        name: str,
        *,
        kind: Kind = "attempt",
        scratch: Path | ScratchRoot | None = None,
        reservation_bytes: int | None = None,
        clock: Clock | None = None,
        settle_over_bytes: int | None = None,
        kill_grace_s: float = KILL_GRACE_S,
    ) -> None:
        self.name = name
        self.kind: Kind = kind
        self.reservation_bytes = reservation_bytes
        self._root = ScratchRoot(scratch) if isinstance(scratch, Path) else scratch
        self._clock = clock or SystemClock()
        self._settle_over_bytes = settle_over_bytes
        self._kill_grace_s = kill_grace_s
        self._state: Literal["new", "open", "closing", "closed"] = "new"
        self._awaits = False
        self._held: list[Held] = []
        self._left_behind: list[str] = []
        self._folder: Path | None = None
        self._account: Account | None = None
        self._receipt: Receipt | None = None

    # --- what it can own -------------------------------------------------------------------------

    def temp_file(self, suffix: str = "") -> Path:
        """Make an empty file whose name ends in `suffix`; it may be moved away, which keeps it."""
        fd, name = tempfile.mkstemp(suffix=suffix, prefix="", dir=self._scratch_folder())
        os.close(fd)
        return self._keep_path(Path(name), "temporary file")

    def temp_folder(self) -> Path:
        """Make an empty folder."""
        return self._keep_path(Path(tempfile.mkdtemp(prefix="", dir=self._scratch_folder())), "temporary folder")

    def popen(self, args: str | Sequence[str | os.PathLike[str]], **options: Any) -> subprocess.Popen[Any]:
        """Start a child process in a session of its own; at the end it is ended with all it has started.

        Args:
            args: The command.
            options: What `subprocess.Popen` takes.
        """
        self._open_account()
        child = Child(args, options)
        process = child.process
        self._held.append(Held(str(child), (process,), partial(child.end, self._kill_grace_s), blocking=True))
        return process

    def closing(self, thing: T) -> T:
        """Close `thing` at the end: by its `close()`, or under `async with` by its `aclose()` when it has one.

        Raises:
            TypeError: It has none of them.
        """
        self._open_account()
        names = ("aclose", "close") if self._awaits else ("close",)
        close = next((getattr(thing, name) for name in names if hasattr(thing, name)), None)
        if close is None:
            raise TypeError(f"{type(thing).__qualname__} has no {' or '.join(names)}()")
        self._held.append(Held(_described(thing), (thing,), close))
        return thing

    def callback(self, function: Callable[..., object], *args: Any, **options: Any) -> Callable[..., object]:
        """Call `function` at the end; under `async with` what it returns is awaited when it can be."""
        self._open_account()
        name = f"callback {getattr(function, '__qualname__', None) or type(function).__qualname__}"
        self._held.append(Held(name, (function,), partial(function, *args, **options)))
        return function

    def enter(self, manager: AbstractContextManager[T]) -> T:
        """Enter a context manager now and leave it at the end, without error; return what it gives."""
        self._open_account()
        given = manager.__enter__()
        keys = (manager, *(() if given is None or isinstance(given, bool) else (given,)))
        self._held.append(Held(_described(manager), keys, partial(manager.__exit__, None, None, None)))
        return given

    # --- letting go early ------------------------------------------------------------------------

    def release(self, thing: object) -> None:
        """Release one thing now; what releasing raises is raised.

        Args:
            thing: What `temp_file`, `popen`, `closing`, `callback` or `enter` returned.

        Raises:
            ScopeMisused: The scope does not hold it.
        """
        held = self._take(thing)
        self._let_go(held, failure(held))

    async def release_async(self, thing: object) -> None:
        """Release one thing now, awaiting what must be; otherwise the same as `release`."""
        held = self._take(thing)
        self._let_go(held, await failure_async(held))

    # --- the account -----------------------------------------------------------------------------

    @property
    def receipt(self) -> Receipt:
        """The account of the scope, once it is closed.

        Raises:
            ScopeMisused: It is not closed yet.
        """
        if self._receipt is None:
            raise ScopeMisused(f"scope {self.name} is {self._state}; it has a receipt once it is closed")
        return self._receipt

    def __repr__(self) -> str:
        if self._receipt is not None:
            return f"<Scope {self.name} ({self.kind}): closed, {self._receipt.outcome}>"
        reserved = "" if self.reservation_bytes is None else f", reserved {format_bytes(self.reservation_bytes)}"
        held = [held.name for held in self._held if held.listed]
        return f"<Scope {self.name} ({self.kind}): {self._state}{reserved}, holds {', '.join(held) or 'nothing'}>"

    # --- opening and closing ---------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._state != "new":
            raise ScopeMisused(f"scope {self.name} is {self._state}; a scope is used once")
        self._account = Account(self._clock)
        self._state = "open"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _raise(self._close(error, [(held, failure(held)) for held in self._closing()]), error)

    async def __aenter__(self) -> Self:
        self.__enter__()
        self._awaits = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _raise(self._close(error, [(held, await failure_async(held)) for held in self._closing()]), error)

    def _closing(self) -> list[Held]:
        """Begin to close: nothing can be acquired any more. The peak is taken while what is held is still there."""
        sample = Held("measure of the peak", (), self._open_account().sample, listed=False)
        self._state = "closing"
        # With nothing to let go of, the measure at the end is the same.
        return [sample, *reversed(self._held)] if self._held else []

    def _close(self, body: BaseException | None, done: list[tuple[Held, BaseException | None]]) -> BaseException | None:
        """Settle and write the receipt; return what the scope raises."""
        account, self._account = self._account, None
        assert account is not None
        self._held.clear()
        self._state = "closed"
        self._left_behind += [held.name for held, error in done if error is not None]
        errors = [error for error in [*(error for _, error in done), account.settle(self._settle_over_bytes)] if error]
        self._receipt = account.receipt(
            name=self.name,
            kind=self.kind,
            error=body or next(iter(errors), None),
            scratch=self._folder,
            released=tuple(held.name for held, _ in done if held.listed),
            left_behind=tuple(self._left_behind),
        )
        return outcome_of(self.name, body, errors)

    # --- how it holds and lets go ------------------------------------------------------------------

    def _open_account(self) -> Account:
        if self._state != "open" or self._account is None:
            raise ScopeMisused(f"scope {self.name} is {self._state}; it can be used while it is open")
        return self._account

    def _take(self, thing: object) -> Held:
        self._open_account()
        for held in reversed(self._held):
            if held.is_known_as(thing):
                self._held.remove(held)
                return held
        raise ScopeMisused(f"scope {self.name} does not hold {thing!r}")

    def _let_go(self, held: Held, error: BaseException | None) -> None:
        if error is not None:
            self._left_behind.append(held.name)
        _raise(error, None)

    def _scratch_folder(self) -> Path:
        self._open_account()
        if self._folder is None:
            self._folder = (self._root or ScratchRoot.of_user()).open_folder(self.name)
            self._held.append(Held("scratch folder", (), partial(_remove, self._folder), blocking=True, listed=False))
        return self._folder

    def _keep_path(self, path: Path, what: str) -> Path:
        self._held.append(Held(f"{what} {path.name}", (path,), partial(_remove, path), blocking=True))
        return path


def _remove(path: Path) -> None:
    if left := remove_tree(path):
        raise ReleaseFailed(f"{left[0]} could not be removed, nor what it holds", path=left[0], paths=len(left))


def _described(thing: object) -> str:
    name = getattr(thing, "name", None)
    kind = type(thing).__qualname__
    return f"{kind} {name}" if isinstance(name, str) else kind


def _raise(problem: BaseException | None, body: BaseException | None) -> None:
    """Raise what a scope raises, unless it is the body's own error, which is on its way already."""
    try:
        if problem is None or problem is body:
            return
        if isinstance(problem, BaseExceptionGroup):
            # The body's error is in the group; as its context it would be told twice.
            raise problem from None
        raise problem
    finally:
        # The frame of a raised error must not hold it.
        del problem, body
