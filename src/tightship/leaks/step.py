"""What a step may be: a function, an async function, or something that is entered and left."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, suppress
from typing import Any

from tightship.leaks.fault import StepFailed

#: Turns of the event loop after a step, in which what it cancelled or closed can come to its end.
TURNS = 3


class Step:
    """One piece of work that is repeated, whatever its kind; every kind is run by calling it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work_on(work)
        self._runner: asyncio.Runner | None = None
        self._steps: Generator[StopIteration | None, int, None] | None = None
        #: Steps begun so far.
        self.count = 0

    def __call__(self) -> None:
        """Run one step."""
        self.run(1)

    def run(self, count: int) -> None:
        """Run steps, one after another."""
        if self._is_coroutine:
            self.await_(self._coroutines(count))
            return
        steps, self._steps = self._steps or self._begun(), None
        stopped = steps.send(count)
        if stopped is not None:
            raise stopped
        self._steps = steps  # unless an error has ended it

    def _begun(self) -> Generator[StopIteration | None, int, None]:
        steps = self._calls()
        next(steps)
        return steps

    def _calls(self) -> Generator[StopIteration | None, int, None]:
        """Run as many steps as are sent, each called from this one frame.

        An error that a step keeps holds the frames which called it. Were there new ones of the trial's with each look,
        the step would seem to keep more, the more often is looked.
        """
        try:
            while True:
                for _ in range((yield None)):
                    self.count += 1
                    result = self._work()
                    if result is not None:
                        self._finish(result)
                result = None
        except StopIteration as error:
            # Raised out of a generator it would become a RuntimeError.
            yield error

    async def _coroutines(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            await self._work()
            # What the step has started or cancelled gets its turn, as it would between two requests.
            await asyncio.sleep(0)

    def work_on(self, work: Callable[[], Any]) -> None:
        """Set what a step does."""
        self._work = work
        self._is_coroutine = inspect.iscoroutinefunction(work)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop of the trial, None as long as no step needed one."""
        return self._runner.get_loop() if self._runner is not None else None

    @property
    def is_async(self) -> bool:
        """Whether the steps run in an event loop of the trial."""
        return self._runner is not None

    def turn(self, duration_s: float = 0.0) -> None:
        """Let the event loop, if there is one, come to what is ready."""
        if self._runner is not None:
            self.await_(_turns(duration_s))

    def await_(self, awaitable: Any) -> Any:
        """Wait for an awaitable in the one event loop of the trial."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        # The runner's own `run` would set and restore the interrupt handler with every step.
        return self._runner.get_loop().run_until_complete(_completed(awaitable))

    def close(self) -> None:
        """End the event loop; the tasks that are left in it are cancelled."""
        if self._steps is not None:
            self._steps.close()
        self._steps = None
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    def _finish(self, result: Any) -> None:
        if inspect.isawaitable(result):
            result = self.await_(result)
        if result is not None and self._is_to_be_entered(result):
            if isinstance(result, AbstractContextManager):
                with result:
                    pass
            else:
                self.await_(_entered(result))

    def _is_to_be_entered(self, result: Any) -> bool:
        """Tell a context manager that is the step from a resource that the step happens to return.

        A function that returns a file, a socket or a connection has handed it to nobody: entering it would close what
        the step has left open.
        """
        if not isinstance(result, AbstractContextManager | AbstractAsyncContextManager):
            return False
        module = type(result).__module__.partition(".")[0]
        return isinstance(self._work, type) or module == "contextlib" or module not in sys.stdlib_module_names


async def _completed(awaitable: Any) -> Any:
    return await awaitable


async def _entered(manager: AbstractAsyncContextManager[Any]) -> None:
    async with manager:
        pass


async def _turns(duration_s: float) -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)
    if duration_s:
        await asyncio.sleep(duration_s)


@contextmanager
def open_step(
    step: Callable[..., Any],
    setup: Callable[[], Any] | None = None,
    teardown: Callable[..., Any] | None = None,
) -> Iterator[Step]:
    """Set up, yield the step, tear down.

    What `setup` returns is handed to the step and to `teardown` if they take an argument.

    Raises:
        StepFailed: `setup` or `teardown` raised an error.
    """
    given: tuple[Any, ...] = ()
    subject = Step(lambda: None)

    def outer(what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            result = function(*arguments)
            return subject.await_(result) if inspect.iscoroutine(result) else result
        except Exception as error:
            raise StepFailed(f"{what} failed: {described(error)}") from error

    try:
        if setup is not None:
            given = (outer("setup", setup),)
        subject.work_on(functools.partial(step, *given) if given and _takes_argument(step) else step)
        failed = True
        try:
            yield subject
            failed = False
        finally:
            if teardown is not None:
                arguments = given if _takes_argument(teardown) else ()
                # The error of the step is the one to tell.
                with suppress(StepFailed) if failed else _nothing():
                    outer("teardown", teardown, *arguments)
    finally:
        subject.close()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def described(error: BaseException) -> str:
    """Return an error's type and text in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def name_of(step: Callable[..., Any]) -> str:
    """Return a name for people: `module.function`."""
    while isinstance(step, functools.partial):
        step = step.func
    name = getattr(step, "__qualname__", None) or type(step).__qualname__
    module = getattr(step, "__module__", None)
    return f"{module}.{name}" if module and module != "__main__" else name


def _takes_argument(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(
        p.kind is inspect.Parameter.VAR_POSITIONAL or (p.kind in positional and p.default is inspect.Parameter.empty)
        for p in parameters
    )
