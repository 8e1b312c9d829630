"""What the rest of tightship knows of an operation without importing what runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operation:
    """One thing that can be done to media.

    Args:
        name: What users call it: `gif`, `clip`, `info`.
        summary: One line for `--help` and the API's documentation.
        options: Frozen dataclass of its options; constraints are `annotated_types` metadata, checked by the runner.
        module: Import path of the module whose `run(attempt, options)` does the work; imported in a slot only.
        suffix: Ending of the result file for the given options, or None when the result is data alone.
        work_s: Given the options and the `MediaInfo` of the input as a mapping, seconds of media to work on.
        deadline_per_s: Seconds allowed per second of media to be worked on ("k").
        reservation_bytes: Memory to reserve, given the options and the media info.
    """

    name: str
    summary: str
    options: type[Any]
    module: str
    suffix: Callable[[Any], str | None]
    work_s: Callable[[Any, Mapping[str, Any]], float]
    deadline_per_s: float
    reservation_bytes: Callable[[Any, Mapping[str, Any]], int]
