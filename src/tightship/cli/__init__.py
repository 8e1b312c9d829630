"""The command line: `tightship gif`, `clip`, `info`, `doctor`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program with the arguments it was started with, and exit with its code."""
    from tightship.cli.interrupt import hold_back

    hold_back()
    from tightship.cli.app import run

    sys.exit(run(sys.argv[1:]))
