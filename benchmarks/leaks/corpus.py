"""What a case is, and how cases are found."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

from tightship.core.verdict import Kind

Step = Callable[[], Any]

GROWING, STEADY = Kind.GROWING, Kind.STEADY
#: A line with this comment makes what stays; a trial of the case should name one of them.
MARK = "# leak"


@dataclass(frozen=True)
class Case:
    """A step whose verdict is known.

    Args:
        name: Of its function.
        kind: Of resource, as cases are chosen and counted by.
        expect: The right verdict.
        metrics: For a leak: one of these must be called growing.
        function: The step itself, or a generator that prepares, yields the step and clears up.
        needs: Says whether this machine can run it.
        file: Where it is written.
        marks: Lines that make what stays.
    """

    name: str
    kind: str
    expect: Kind
    metrics: tuple[str, ...]
    function: Callable[[], Any]
    needs: Callable[[], bool]
    file: str
    marks: tuple[int, ...]

    def prepared(self) -> AbstractContextManager[Step]:
        """Prepare the case; on entering comes its step, on leaving all is cleared up."""
        if inspect.isgeneratorfunction(self.function):
            return contextmanager(self.function)()
        return nullcontext(self.function)


_registered: dict[str, Case] = {}


def case(
    *, kind: str, expect: Kind, metric: str | tuple[str, ...] = (), needs: Callable[[], bool] = lambda: True
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Register a function as a case.

    Args:
        kind: Of resource.
        expect: The right verdict.
        metric: For a leak: what must be called growing; of several, any one.
        needs: Says whether this machine can run it.
    """

    def register(function: Callable[[], Any]) -> Callable[[], Any]:
        lines, first = inspect.getsourcelines(function)
        marks = tuple(first + i for i, line in enumerate(lines) if line.rstrip().endswith(MARK))
        name, metrics = function.__name__, (metric,) if isinstance(metric, str) else metric
        if name in _registered:
            raise ValueError(f"there are two cases called {name}")
        _registered[name] = Case(
            name, kind, expect, metrics, function, needs, inspect.getsourcefile(function) or "", marks
        )
        return function

    return register


@cache
def corpus() -> dict[str, Case]:
    """Return every case by name, in the order they are written."""
    from benchmarks.leaks import cases

    for module in pkgutil.iter_modules(cases.__path__, f"{cases.__name__}."):
        importlib.import_module(module.name)
    return dict(_registered)


def chosen(names: list[str], kinds: list[str]) -> Iterator[Case]:
    """Yield the cases asked for that this machine can run, all of them if none is asked for.

    Raises:
        SystemExit: There is no such case or kind.
    """
    known = corpus()
    wrong = {*names} - {*known} | {*kinds} - {found.kind for found in known.values()}
    if wrong:
        raise SystemExit(f"no such case or kind: {', '.join(sorted(wrong))}")
    for found in known.values():
        if ((not names and not kinds) or found.name in names or found.kind in kinds) and found.needs():
            yield found
