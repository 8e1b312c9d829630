"""One leak trial as the command line runs it: options in, progress, reports and exit code out."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tightship.cli.output import complain, complain_of, failed, printable, say, say_json
from tightship.cli.settings import Settings
from tightship.errors import InvalidOptions, OutputUnwritable, TightshipError
from tightship.units import format_seconds, parse_seconds

if TYPE_CHECKING:
    from tightship.leaks.report import Report

#: Exit codes beside those that every command has: 0 is steady, 2 wrong usage.
GROWING, UNDECIDED, STEP_FAILED = 1, 4, 5
#: Seconds between two lines of progress.
_DRAWN_EVERY_S = 0.2


@dataclass(frozen=True)
class Choices:
    """What every leak command can be told.

    Args:
        budget: Longest time for the steps.
        ignore: Metrics that are not watched.
        floor: `METRIC=N` each: growth per step that does not matter.
        seed: Of the moments at which is looked.
        where: Search for the origin of what grows.
        junit: File for JUnit XML.
        html: File for the HTML report.
        github: Write annotations for GitHub; by itself where GitHub runs the command.
    """

    budget: str
    ignore: tuple[str, ...] = ()
    floor: tuple[str, ...] = ()
    seed: int | None = None
    where: bool = True
    junit: Path | None = None
    html: Path | None = None
    github: bool = False

    def options(self) -> dict[str, Any]:
        """Return them as `trial` takes them."""
        floors = dict(_floor(text) for text in self.floor)
        options = {"budget": parse_seconds(self.budget), "ignore": self.ignore, "floor": floors}
        return {**options, "seed": self.seed, "where": self.where}


def _floor(text: str) -> tuple[str, float]:
    metric, _, figure = text.partition("=")
    try:
        return metric, float(figure)
    except ValueError:
        raise InvalidOptions(f"--floor {text!r} is no METRIC=N, such as native_heap=64") from None


def perform(settings: Settings, choices: Choices, run: Callable[[dict[str, Any]], Report]) -> int:
    """Run a trial, write its reports and return the exit code; `run` is handed the options for `trial`."""
    from tightship.leaks.fault import StepFailed

    try:
        with _interruptible(), _stdout_apart() if settings.as_json else nullcontext():
            report = run(choices.options())
    except StepFailed as error:
        return _step_failed(settings, error)
    _show(settings, report)
    _write(choices, report)
    if choices.github or os.environ.get("GITHUB_ACTIONS") == "true":
        _annotate(settings, report)
    return {"steady": 0, "growing": GROWING, "undecided": UNDECIDED}[str(report.verdict)]


def counted(step: Callable[..., Any], settings: Settings, budget: str) -> Callable[..., Any]:
    """Return the step so that people who watch see how far it is; the step itself where nobody watches."""
    if settings.quiet or sys.stderr is None or not sys.stderr.isatty():
        return step
    import functools

    steps, began_s, drawn_s = 0, time.monotonic(), 0.0

    @functools.wraps(step)
    def drawing(*arguments: Any) -> Any:
        nonlocal steps, drawn_s
        steps += 1
        now_s = time.monotonic()
        if now_s - drawn_s > _DRAWN_EVERY_S:
            drawn_s = now_s
            sys.stderr.write(f"\r\x1b[K{steps:,} steps, {format_seconds(now_s - began_s)} of at most {budget}\r")
            sys.stderr.flush()
        return step(*arguments)

    return drawing


def _step_failed(settings: Settings, error: TightshipError) -> int:
    from tightship.leaks.target import told

    # The innermost cause that is not ours is what the user wrote.
    cause: BaseException = error
    while isinstance(cause, TightshipError) and cause.__cause__ is not None:
        cause = cause.__cause__
    message = cause.public_message if isinstance(cause, TightshipError) else told(cause, Path.cwd())
    begin = error.public_message.partition(" failed: ")[0] if cause is not error else ""
    shown = type(error)(f"{begin} failed: {message}" if begin else message, **error.details)
    if settings.as_json:
        say_json({**failed("leaks", shown), "verdict": None})
    else:
        complain_of("leaks", shown)
    return STEP_FAILED


def _show(settings: Settings, report: Report) -> None:
    if settings.as_json:
        say_json(report.to_dict())
        return
    from tightship.leaks.output.words import headline, in_words

    if not settings.quiet:
        say(_clean(in_words(report, plain=not _has_braille())))
    elif report.verdict != "steady":
        complain(_clean(headline(report)))


def _clean(text: str) -> str:
    return "\n".join(printable(line) for line in text.splitlines())


def _has_braille() -> bool:
    try:
        "\u28ff\u2502".encode((sys.stdout and sys.stdout.encoding) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _write(choices: Choices, report: Report) -> None:
    from tightship.leaks.output.html import to_html
    from tightship.leaks.output.junit import to_junit

    for file, to_text in ((choices.junit, to_junit), (choices.html, to_html)):
        if file is not None:
            try:
                file.write_text(to_text(report), encoding="utf-8")
            except OSError as fault:
                raise OutputUnwritable(f"{file} cannot be written: {fault.strerror or fault}") from None


def _annotate(settings: Settings, report: Report) -> None:
    from tightship.leaks.output.github import to_annotations

    root = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    for line in to_annotations(report, root):
        # GitHub reads both streams; with --json stdout is one object.
        (complain if settings.as_json else say)(line)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the first Ctrl-C, and SIGTERM, end the trial: a step of the user's knows of no other way to be stopped."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {signum: signal.signal(signum, signal.default_int_handler) for signum in signals}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        if sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


@contextmanager
def _stdout_apart() -> Iterator[None]:
    """Send what the step prints to stderr, also from below Python, so that stdout holds one object."""
    if sys.stdout is None or sys.stderr is None:
        yield
        return
    sys.stdout.flush()
    saved_fd = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        _flush_native()
        os.dup2(saved_fd, 1)
        os.close(saved_fd)


def _flush_native() -> None:
    """Empty the buffers of C's own streams: what stays in there would come out on stdout when Python ends."""
    import ctypes

    ctypes.CDLL(None).fflush(None)
