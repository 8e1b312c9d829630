"""The commands on results that are remembered: show, clear."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from tightship.cli.operations import require_media
from tightship.cli.output import DONE, say, say_json
from tightship.cli.settings import AsJson, Home, Quiet, Settings, settings_of

if TYPE_CHECKING:
    from tightship.recall import Recall

HELP = """Look at the results that are remembered, and forget them.

What `transcribe` has written down once is remembered in the home folder, for whoever brings the same content and wants
the same of it, up to TIGHTSHIP_CACHE_DISK_BYTES, and for TIGHTSHIP_CACHE_TTL_S where that is set.
"""
EXAMPLES = """\b
Examples:
  tightship cache show
  tightship cache clear
"""
SHOW_HELP = "Tell how much is remembered, and where."
SHOW_EXAMPLES = """\b
Examples:
  tightship cache show --json
"""
CLEAR_HELP = """Forget all results; a server that runs on the same home folder forgets them too.

Jobs that are kept, with their results, are not touched: see `tightship jobs purge`.
"""
CLEAR_EXAMPLES = """\b
Examples:
  tightship cache clear
"""


def show(context: typer.Context, home: Home = None, quiet: Quiet = False, as_json: AsJson = False) -> int:
    """Tell how much is remembered."""
    settings = settings_of(context, home, quiet, as_json)
    recall = _opened(settings)
    report, config = recall.report(), recall.config
    if settings.as_json:
        told = {name: value for name, value in asdict(report).items() if name.startswith("disk_")}
        say_json({"folder": str(recall.folder), **told, "limits": asdict(config)})
        return DONE
    from tightship.cli.words import table
    from tightship.units import format_bytes

    held = f"{report.disk_entries}, {format_bytes(report.disk_bytes)} of {format_bytes(config.disk_bytes)}"
    say(table([("results", held), ("folder", str(recall.folder))]))
    return DONE


def clear(context: typer.Context, home: Home = None, quiet: Quiet = False, as_json: AsJson = False) -> int:
    """Forget all results."""
    settings = settings_of(context, home, quiet, as_json)
    gone = _opened(settings).clear()
    if settings.as_json:
        say_json({"removed": gone})
    elif not settings.quiet:
        say(f"{gone} {'result' if gone == 1 else 'results'} forgotten")
    return DONE


def _opened(settings: Settings) -> Recall:
    require_media()
    from tightship.config import Config
    from tightship.recall import Recall

    config = Config.from_environment(os.environ, settings.home)
    recall = Recall(config.home, config.cache)
    recall.expire()
    return recall
