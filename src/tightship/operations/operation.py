"""What the rest of tightship knows of an operation without importing what runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tightship.media.limits import Limits

Options = TypeVar("Options")
#: What is known of the input before the work starts: `MediaInfo` as plain JSON, or only its `size_bytes`.
Media = Mapping[str, Any]


@dataclass(frozen=True)
class Session:
    """What a slot opens before it works, and keeps for the next job that wants the same: a loaded model.

    Args:
        key: What the module's `open_session` is given; jobs with the same key share a warm slot.
        name: What people call it: the model's name.
        readable: Folders that the slot has to be able to read besides its own.
    """

    key: str
    name: str
    readable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Basis:
    """What, besides the input and the limits on it, a result follows from: the same again gives the same result.

    Args:
        options: The options as far as they count, defaults included.
        facts: What else the machine or the settings bring in.
        files: Files whose content counts: a model's weights.
        packages: Installed packages whose version counts.
    """

    options: Mapping[str, Any]
    facts: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One thing that can be done to media.

    Args:
        name: What users call it: `gif`, `clip`, `info`.
        summary: One line for `--help` and the API's documentation.
        options: Frozen dataclass of its options; constraints are `annotated_types` metadata, checked by the runner.
        module: Import path of the module whose `run(attempt, options)` does the work; imported in a slot only.
        suffix: Ending of the result file, given the options and the input; None when the result is data alone.
        limit_s: Seconds that the work may take, given the options and the input.
        reservation_bytes: Memory to reserve, given the options and the input.
        answered_by_probe: What the look at the input tells is the result: where there was a look, `run` is not called.
        modules: What has to be installed besides the extra `media`.
        session: What a slot opens for it, given the options and whether they come from somebody who may name folders of
            this machine; it raises where that is not to be had.
        no_progress_s: Seconds that may pass without progress, where that is more than the settings allow.
        pace_s: Seconds that each unit of progress may take: an input longer than it claims to be gets so much longer.
        basis: Given what `session` is given, what a result follows from, so that it may be remembered; None where this
            one is not to be. A result that tells `complete: false` never is.
    """

    name: str
    summary: str
    options: type[Any]
    module: str
    suffix: Callable[[Any, Media], str | None]
    limit_s: Callable[[Any, Media], float]
    reservation_bytes: Callable[[Any, Media], int]
    answered_by_probe: bool = False
    modules: tuple[str, ...] = ()
    session: Callable[[Any, bool], Session] | None = None
    no_progress_s: Callable[[Any], float] | None = None
    pace_s: Callable[[Any], float] | None = None
    basis: Callable[[Any, bool], Basis | None] | None = None


def span_s(options: Any, media: Media) -> float:
    """Return the seconds of media between the options' `start_s` and `end_s`, as far as the input is known."""
    start_s: float = options.start_s
    end_s: float | None = options.end_s
    known_s: float | None = media.get("duration_s")
    if end_s is not None and known_s is not None:
        end_s = min(end_s, known_s)
    last_s = end_s if end_s is not None else known_s
    return max(0.0, last_s - start_s) if last_s is not None else 0.0


def picture_bytes(media: Media) -> int:
    """Return the bytes of one decoded picture of the input, 4:2:0; of a 1080p one where the input is not known."""
    pixels = [
        (stream.get("coded_width") or 0) * (stream.get("coded_height") or 0) for stream in media.get("streams") or ()
    ]
    return max(pixels, default=0) * 3 // 2 or 1920 * 1080 * 3 // 2


def unpacked(kind: type[Options], options: Mapping[str, Any]) -> tuple[Options, Limits]:
    """Return an operation's options and the limits that travel with them under `limits`."""
    own = {name: value for name, value in options.items() if name != "limits"}
    return kind(**own), Limits.from_dict(options.get("limits") or {})
