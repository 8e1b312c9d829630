"""The command line: `tightship gif`, `clip`, `info`, `doctor`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program with the arguments it was started with, and exit with its code."""
    try:
        from tightship.cli.app import run
    except KeyboardInterrupt:
        sys.exit(3)  # before any work began
    sys.exit(run(sys.argv[1:]))
