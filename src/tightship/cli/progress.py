"""A progress bar for people who watch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tightship.pool.messages import Progress
from tightship.pool.vigil import Event


@contextmanager
def open_bar(label: str, *, quiet: bool) -> Iterator[Callable[[Event], None] | None]:
    """Yield what draws a bar with the time left on stderr; None where nobody watches.

    The bar has no thread: it is drawn when the job reports, about ten times a second, and is gone at the end.
    """
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.TaskProgressColumn())
    left = (bars.TimeRemainingColumn(), bars.TextColumn("left"))
    with bars.Progress(*columns, *left, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(label, total=None)

        def heard(event: Event) -> None:
            if isinstance(event, Progress):
                bar.update(task, completed=event.done, total=event.total, refresh=True)

        yield heard
