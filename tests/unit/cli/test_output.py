"""Exit codes, and text that is safe to show."""

from __future__ import annotations

import errno
import io
import json
import sys

import pytest

from tightship.cli import output
from tightship.errors import (
    Cancelled,
    CorruptMedia,
    DiskFull,
    InvalidOptions,
    InvalidQuantity,
    OutputUnwritable,
    TightshipError,
)
from tightship.runner import Job


@pytest.mark.parametrize(
    ("error", "code"),
    [(None, 0), (CorruptMedia("x"), 1), (InvalidOptions("x"), 2), (InvalidQuantity("x"), 2), (Cancelled("x"), 3)],
)
def test_exit_code_tells_how_it_ended(error: TightshipError | None, code: int) -> None:
    """Scripts can tell success, failure, wrong usage and cancelling apart."""
    assert output.exit_code(error) == code


@pytest.mark.parametrize(("error", "status"), [(CorruptMedia("x"), "failed"), (Cancelled("x"), "cancelled")])
def test_job_that_never_ran_has_the_shape_of_one_that_did(error: TightshipError, status: str) -> None:
    """Programs read one shape of object, whatever happened."""
    ran = Job("gif", status, None, (), None, error)  # type: ignore[arg-type]

    assert output.failed("gif", error) == ran.to_dict()


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EACCES, OutputUnwritable)])
def test_fault_of_the_system_becomes_an_error_of_ours(number: int, kind: type[TightshipError]) -> None:
    """The path that failed is named."""
    error = output.error_of(OSError(number, "no luck", "/home/scratch"))

    assert type(error) is kind
    assert "/home/scratch" in error.public_message


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain ünïcode 视频", "plain ünïcode 视频"), ("a\x1b[2Jb\n", "a\\x1b[2Jb\\x0a"), ("\u202egif", "\\x202egif")],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    """Names and tags cannot move the cursor, clear the screen or turn the text around."""
    assert output.printable(text) == shown


def test_text_that_the_terminal_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An old locale is no reason to fail."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))

    output.say("café")

    assert raw.getvalue() == b"caf\\xe9\n"


def test_closed_stdout_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program started without a stdout has nowhere to write, and does not."""
    monkeypatch.setattr(sys, "stdout", None)

    output.say("nobody hears this")


def test_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks inside values do not break the object over lines."""
    output.say_json({"text": "a\nb"})

    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"text": "a\nb"}
