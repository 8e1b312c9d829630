"""The program explains itself."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields

import pytest

from tightship import __version__
from tightship.operations.clip import ClipOptions
from tightship.operations.gif import GifOptions

from .conftest import Cli

COMMANDS = ("gif", "clip", "info", "transcribe", "watch", "doctor", "serve")
SHARED = ("--home", "--quiet", "-q", "--json", "--help")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command_and_exit_code(cli: Cli, flag: str) -> None:
    """The first page is the map of the program."""
    done = cli(flag)

    assert done.code == 0
    assert all(f"\n  {command} " in done.out for command in COMMANDS)
    assert all(option in done.out for option in (*SHARED, "--version"))
    assert "0 done, 1 it failed, 2 wrong usage, 3 cancelled" in done.out


def test_no_arguments_show_the_help(cli: Cli) -> None:
    """Who types only the name learns what to type next."""
    done = cli()

    assert done.code == 2
    assert "Examples:" in done.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_teaches(cli: Cli, command: str) -> None:
    """Every command shows examples and the shared options."""
    done = cli(command, "--help")

    assert (done.code, done.err) == (0, "")
    assert f"    tightship {command}" in done.out
    assert all(option in done.out for option in SHARED)


@pytest.mark.parametrize(("command", "options"), [("gif", GifOptions), ("clip", ClipOptions)])
def test_help_tells_the_true_defaults(cli: Cli, command: str, options: type) -> None:
    """Every option of an operation is there, with the default that the operation has."""
    blocks = [" ".join(block.split()) for block in re.split(r"\n  (?=-)", cli(command, "--help").out)]

    for option in fields(options):
        if option.name == "container":  # the ending of OUT says it
            continue
        block = next(block for block in blocks if block.startswith(f"--{option.name.removesuffix('_s')} "))
        if option.default is not None and not isinstance(option.default, bool):
            shown = f"{option.default:g}" if isinstance(option.default, float) else option.default
            assert f"[default: {shown}]" in block


def test_version_is_told(cli: Cli) -> None:
    """The program knows its version."""
    assert cli("--version").out == f"tightship {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], {"av", "numpy", "psutil", "asyncio", "rich", "pydantic"}),
        # Recent versions of typer read options with pydantic, which is why it is not in this list.
        (["gif", "--help"], {"av", "numpy", "psutil", "asyncio", "rich"}),
        (["transcribe", "--help"], {"av", "numpy", "psutil", "asyncio", "rich", "faster_whisper"}),
        (
            ["watch", "--help"],
            {"av", "numpy", "psutil", "asyncio", "rich", "faster_whisper", "sqlalchemy", "watchfiles"},
        ),
    ],
)
def test_help_loads_nothing_heavy(arguments: list[str], heavy: set[str]) -> None:
    """The program explains itself without loading what only jobs need."""
    script = (
        f"import sys; from tightship.cli.app import run; code = run({arguments!r})\n"
        f"print(code, *sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert done.stderr == "0\n"
