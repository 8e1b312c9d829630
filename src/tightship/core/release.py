"""What a scope holds, and how it lets go: last in, first out, and no error lost."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from tightship.errors import ScopeMisused


@dataclass(frozen=True, eq=False)
class Held:
    """One thing to be released.

    Args:
        name: What people call it.
        keys: The objects it can be asked for by.
        release: Lets go of it; what it returns is awaited when it can be.
        blocking: It may take long, so an event loop runs it in a thread.
        listed: It is named in the receipt.
    """

    name: str
    keys: tuple[object, ...]
    release: Callable[[], object]
    blocking: bool = False
    listed: bool = True

    def is_known_as(self, thing: object) -> bool:
        """Tell whether `thing` is one of the keys: the same object, or an equal path."""
        return any(thing is key or (type(thing) is type(key) and _is_path(key) and thing == key) for key in self.keys)


def failure(held: Held) -> BaseException | None:
    """Release it; return what it raised, interrupts included, so that the rest can be released too."""
    try:
        pending = held.release()
        if inspect.isawaitable(pending):
            if inspect.iscoroutine(pending):
                pending.close()
            raise ScopeMisused(f"{held.name} is released by awaiting; use 'async with' for its scope")
    except BaseException as error:  # noqa: BLE001 - every error is raised again when the scope has closed
        return error
    return None


async def failure_async(held: Held) -> BaseException | None:
    """Release it, awaiting what must be; return what it raised, cancellation included."""
    try:
        pending = await _in_thread(held.release) if held.blocking else held.release()
        if inspect.isawaitable(pending):
            await pending
    except BaseException as error:  # noqa: BLE001 - as above
        return error
    return None


def outcome_of(scope: str, body: BaseException | None, failures: list[BaseException]) -> BaseException | None:
    """Return what a scope raises: the body's error, its release's, or a group of both with the body's first.

    An interrupt (KeyboardInterrupt, SystemExit, asyncio.CancelledError: whatever is no `Exception`) is never put in a
    group, where those who wait for it would not see it. It is raised itself, the first one, or the first that ends the
    program; the other errors are added to it as notes: as its context they would keep it alive in a cycle.
    """
    every = [error for error in [body, *failures] if error is not None]
    interrupts = [error for error in every if not isinstance(error, Exception)]
    if interrupts:
        ends = [error for error in interrupts if isinstance(error, KeyboardInterrupt | SystemExit)]
        chosen = [*ends, *interrupts][0]
        for error in failures:
            if error is not chosen:
                chosen.add_note(f"Closing scope {scope} also raised {type(error).__name__}: {error}")
        return chosen
    if not failures:
        return body
    errors = [error for error in every if isinstance(error, Exception)]
    said = "failed, and so did its release" if body else "could not release all it held"
    return ExceptionGroup(f"scope {scope} {said}", errors)


def _is_path(key: object) -> bool:
    return hasattr(key, "__fspath__")


async def _in_thread(work: Callable[[], object]) -> object:
    """Run `work` in a thread, to its end: a cancellation meanwhile is raised after it, so that nothing is half done."""
    import asyncio

    task = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    try:
        result = task.result()
        if cancelled is not None:
            raise cancelled
        return result
    finally:
        # The frame of a raised error must not hold it.
        del cancelled
