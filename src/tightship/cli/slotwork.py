"""A job of ours as the step of a leak trial: done again and again in one warm slot, which is watched from outside."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tightship.cli.settings import Settings
from tightship.errors import Cancelled, InvalidOptions

#: A slot that is being looked at is never replaced, whatever it holds and however long it serves.
_NEVER = 2**62


@contextmanager
def open_job(
    settings: Settings, operation: str, source: Path, options: Mapping[str, Any]
) -> Iterator[tuple[Callable[[], None], int]]:
    """Do the job once and yield a step that does it again, and the process that does it.

    Raises:
        StepFailed: The job failed.
    """
    from tightship.api import open_runner
    from tightship.config import Config
    from tightship.core.governor import RecyclePolicy
    from tightship.leaks.fault import StepFailed
    from tightship.store.config import NO_CACHE

    config = Config.from_environment(os.environ, settings.home)
    one_slot = replace(config.pool, slots=1, recycling=RecyclePolicy(max_jobs=_NEVER, growth_bytes=_NEVER))
    with tempfile.TemporaryDirectory(prefix="tightship-leaks-") as folder:
        output = None if operation == "info" else Path(folder, f"out{source.suffix if operation == 'clip' else '.gif'}")
        with open_runner(replace(config, pool=one_slot, cache=NO_CACHE)) as runner:

            def step() -> None:
                job = runner.run(operation, source, output, options, cancel=settings.cancel)
                if isinstance(job.error, InvalidOptions | Cancelled):
                    raise job.error
                if job.error is not None:
                    raise StepFailed(f"{operation} {source}: {job.error.public_message}") from job.error

            step()
            (slot,) = runner.pool.slots()

            def same_slot() -> None:
                step()
                if [each.pid for each in runner.pool.slots()] != [slot.pid]:
                    raise StepFailed(f"slot {slot.pid} was replaced; nothing can be said of its successor")

            yield same_slot, slot.pid


def job_options(texts: Sequence[str]) -> dict[str, Any]:
    """Read `NAME=VALUE` each; a value that is JSON is taken as such, any other as text."""
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name):
            raise InvalidOptions(f"--option {text!r} is no NAME=VALUE, such as width=320")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options
