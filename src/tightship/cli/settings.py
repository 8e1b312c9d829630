"""What goes for every command, and may be written before or after its name."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Folder for all state and scratch files. "
        "[default: $TIGHTSHIP_HOME, else tightship in $XDG_STATE_HOME or ~/.local/state]",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no report; warnings and errors only.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, also when it fails.")]


@dataclass(frozen=True)
class Settings:
    """The choices that every command shares.

    Args:
        cancel: Set when the user wants the job to stop.
        home: The home folder; None for the default.
        quiet: Say nothing but warnings and errors.
        as_json: Print JSON instead of words.
    """

    cancel: threading.Event
    home: Path | None = None
    quiet: bool = False
    as_json: bool = False

    def joined(self, home: Path | None, quiet: bool, as_json: bool) -> Settings:
        """Return the settings with what was said at another place of the command line added."""
        return replace(
            self,
            home=home.expanduser().absolute() if home else self.home,
            quiet=quiet or self.quiet,
            as_json=as_json or self.as_json,
        )


def settings_of(context: typer.Context, home: Path | None, quiet: bool, as_json: bool) -> Settings:
    """Return what was said before the command's name and after it, together."""
    before = context.obj
    assert isinstance(before, Settings)
    return before.joined(home, quiet, as_json)
