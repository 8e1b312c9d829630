"""The command `doctor`: what works here, and what to do about the rest."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from tightship import __version__
from tightship.cli.output import DONE, FAILED, say, say_json
from tightship.cli.settings import AsJson, Home, Quiet, settings_of

if TYPE_CHECKING:
    from tightship.cli.checkup import Check

HELP = """Tell what works on this machine, and what would help.

It starts a real slot and asks FFmpeg in there. It exits with 0 when everything needed works, else with 1.
"""
EXAMPLES = """\b
Examples:
  tightship doctor
  tightship doctor --json
"""
_MARKS = {"ok": "ok", "missing": "MISSING", "optional": "-"}


def doctor(context: typer.Context, home: Home = None, quiet: Quiet = False, as_json: AsJson = False) -> int:
    """Tell what this machine can do."""
    settings = settings_of(context, home, quiet, as_json)
    from tightship.cli.checkup import look
    from tightship.config import default_home

    checks = look(settings.home or default_home())
    works = all(check.state != "missing" for check in checks)
    if settings.as_json:
        say_json(_as_dict(checks, works))
    elif text := _in_words(checks, works, quiet=settings.quiet):
        say(text)
    return DONE if works else FAILED


def _as_dict(checks: Sequence[Check], works: bool) -> dict[str, Any]:
    return {
        "status": "ok" if works else "missing",
        "tightship": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "checks": [asdict(check) for check in checks],
    }


def _in_words(checks: Sequence[Check], works: bool, *, quiet: bool) -> str:
    from tightship.cli.words import table

    shown = [check for check in checks if not quiet or check.state == "missing"]
    rows = [(f"{_MARKS[check.state]:<8}{check.name}", check.detail) for check in shown]
    cures = [f"{check.name}: {check.cure}" for check in shown if check.cure]
    parts = (
        "" if quiet else f"tightship {__version__}, Python {platform.python_version()}, {platform.platform()}",
        table(rows),
        "\n".join(["What would help:", *(f"  {cure}" for cure in cures)]) if cures else "",
        "" if quiet else "Everything needed works." if works else "Something needed is missing.",
    )
    return "\n\n".join(part for part in parts if part)
