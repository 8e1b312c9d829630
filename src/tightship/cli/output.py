"""What goes to stdout and stderr, and the exit codes."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from tightship.errors import Cancelled, DiskFull, InvalidOptions, OutputUnwritable, TightshipError

DONE, FAILED, WRONG_USAGE, CANCELLED = range(4)


def exit_code(error: TightshipError | None) -> int:
    """Return the code that the program exits with."""
    match error:
        case None:
            return DONE
        case Cancelled():
            return CANCELLED
        case InvalidOptions():
            return WRONG_USAGE
        case _:
            return FAILED


def failed(operation: str | None, error: TightshipError) -> dict[str, Any]:
    """Return a job that never ran, in the shape of `Job.to_dict`."""
    return {
        "status": "cancelled" if isinstance(error, Cancelled) else "failed",
        "operation": operation,
        "result": None,
        "warnings": [],
        "receipt": None,
        "error": error.to_dict(),
    }


def error_of(fault: OSError) -> TightshipError:
    """Return the error of ours for a fault of the system outside of any job: a home or a stdout that fails."""
    place = fault.filename or "the output"
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"{place}: the disk is full")
    return OutputUnwritable(f"{place} cannot be used: {fault.strerror or fault}")


def say(text: str) -> None:
    """Write a line to stdout; a reader that has gone is no fault."""
    _write(sys.stdout, text)


def say_json(data: Mapping[str, Any]) -> None:
    """Write one JSON object to stdout, on one line."""
    say(json.dumps(data, allow_nan=False))


def complain(text: str) -> None:
    """Write a line to stderr."""
    _write(sys.stderr, text)


def complain_of(command: str | None, error: TightshipError) -> None:
    """Write an error to stderr, after the name of the command as other programs do."""
    name = f"tightship {command}" if command else "tightship"
    complain(f"{name}: {printable(error.public_message.removeprefix(f'{command}: '))}")


def printable(text: str) -> str:
    """Return the text without what would steer a terminal: names and tags come from strangers."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def abandon(stream: TextIO) -> None:
    """Send what is still to be written to a stream nowhere, so that nothing fails when Python ends."""
    null_fd = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null_fd, stream.fileno())
    os.close(null_fd)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:  # the program was started with this stream closed
        return
    encoding = stream.encoding or "utf-8"
    safe = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        stream.write(f"{safe}\n")
        stream.flush()
    except BrokenPipeError:
        abandon(stream)
