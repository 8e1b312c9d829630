"""Call stacks as plain data, and the one line of a stack that is worth naming."""

from __future__ import annotations

import functools
import linecache
import re
import site
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

from tightship.leaks.report import Origin

#: A file, a line in it and the function.
Call = tuple[str, int, str]
#: Outermost call first, as in a traceback.
Stack = tuple[Call, ...]
#: Calls of a stack that are kept; deeper ones say nothing more.
MAX_CALLS = 40
#: Calls that a report shows, the innermost ones.
SHOWN_CALLS = 12

_DEFINITION = re.compile(r"([ \t]*)(?:async\s+)?(def|class)\s+(\w+)")
_LEAKS = str(Path(__file__).resolve().parent.parent)
_INSTRUMENTS = str(Path(__file__).resolve().parent)
_RERUN = str(Path(_INSTRUMENTS, "rerun.py"))
_CASES = str(Path(_LEAKS, "cases"))
_LIBRARIES = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {site.getusersitepackages(), "<frozen", "/usr/lib/python3/dist-packages"}
)


@functools.lru_cache(maxsize=4096)
def is_own(file: str) -> bool:
    """Tell whether a file is the instrument's own; the cases that come with it are not."""
    return file.startswith(_LEAKS) and not file.startswith(_CASES)


@functools.lru_cache(maxsize=4096)
def is_library(file: str) -> bool:
    """Tell whether a file belongs to the standard library or to an installed package."""
    return file.startswith(_LIBRARIES) and not file.startswith(_CASES)


def stack_of(frame: FrameType | None, line: int | None = None) -> Stack:
    """Return the calls that led to a frame, up to those of the instrument.

    Args:
        frame: The innermost one.
        line: The line in it, where that is not its current one.
    """
    calls: list[Call] = []
    while frame is not None and len(calls) < MAX_CALLS and not is_own(frame.f_code.co_filename):
        code = frame.f_code
        calls.append((code.co_filename, frame.f_lineno if line is None else line, code.co_qualname))
        frame, line = frame.f_back, None
    return tuple(reversed(calls))


def stack_from_lines(lines: Iterable[tuple[str, int]]) -> Stack:
    """Return the stack for (file, line) pairs, the outermost first, cut where the instrument's own calls end.

    The functions' names are looked up when they are shown. Empty when the innermost call is the instrument's own.
    """
    calls: list[Call] = []
    for file, line in reversed(list(lines)):
        if is_own(file):
            # The instrument's own memory is not the step's; what runs the step is where the stack begins.
            if file.startswith(_INSTRUMENTS) and file != _RERUN:
                return ()
            break
        calls.append((file, line, ""))
    return tuple(reversed(calls))


def user_call(stack: Stack) -> Call | None:
    """Return the innermost call outside of libraries, or the innermost one when there is no such call."""
    if not stack:
        return None
    return next((call for call in reversed(stack) if not is_library(call[0])), stack[-1])


def origin(what: str, stack: Stack, per_step: float | None, holders: tuple[str, ...] = ()) -> Origin:
    """Return the origin that a stack tells of."""
    call = user_call(stack)
    shown = tuple(
        f"{file}:{line} in {function or _function_at(file, line)}" for file, line, function in stack[-SHOWN_CALLS:]
    )
    if call is None:
        return Origin(what, per_step, stack=shown, holders=holders)
    return Origin(what, per_step, call[0], call[1], shown, holders)


def _function_at(file: str, line: int) -> str:
    """Return the function around a line by the indentation of its source: tracemalloc keeps no names."""
    lines = linecache.getlines(file)
    if not 0 < line <= len(lines):
        return "?"
    names: list[str] = []
    inside = _indent(lines[line - 1])
    for text in reversed(lines[:line]):
        match = _DEFINITION.match(text)
        if match and (len(match[1]) < inside or (not names and text is lines[line - 1])):
            inside = len(match[1])
            is_outer_function = match[2] == "def" and names
            names.append(f"{match[3]}.<locals>" if is_outer_function else match[3])
    return ".".join(reversed(names)) or "<module>"


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
