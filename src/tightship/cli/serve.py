"""The command `serve`: jobs over HTTP, and the page."""

from __future__ import annotations

import logging
import os
from typing import Annotated

import typer

from tightship.cli.operations import require_media
from tightship.cli.output import say, say_json
from tightship.cli.settings import AsJson, Home, Quiet, settings_of
from tightship.core.allocator import keep_one_heap
from tightship.errors import EXTRAS, ExtraMissing

HELP = """Take jobs over HTTP and from a page in the browser, until Ctrl-C or SIGTERM.

Jobs are kept in the home folder: none is lost when the server, or the machine, dies. When it stops, running jobs get a
moment to end and are otherwise done at the next start.
"""
EXAMPLES = """\b
Examples:
  tightship serve
  tightship serve --port 9000 --slots 5 --home /var/lib/tightship
  TIGHTSHIP_API_KEYS=a-long-random-key tightship serve --host 0.0.0.0
\b
Only this machine reaches it unless --host says otherwise; then it wants keys.
Every limit is a variable of the environment: docs/reference/settings.md.
"""


def serve(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Where to listen. [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", min=0, max=65535, help="The port; 0 takes a free one. [default: 8080]"),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let others reach it although there are no TIGHTSHIP_API_KEYS.")
    ] = False,
    slots: Annotated[
        int | None,
        typer.Option(
            "--slots", metavar="N", min=2, help="Workers: one looks at inputs, each other runs a job. [default: 3]"
        ),
    ] = None,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Serve."""
    settings = settings_of(context, home, quiet, as_json)
    require_media("server")
    try:
        from tightship import http
        from tightship.config import HTTP, service_config

        variables = {**os.environ, **_as_variables(host, port, insecure, slots)}
        config, listening = service_config(variables, settings.home), HTTP.read(variables, http.HttpConfig())
        run = http.serve
    except ModuleNotFoundError as missing:
        if missing.name not in EXTRAS:
            raise
        raise ExtraMissing.of(missing.name) from None

    _log_to_stderr(quiet=settings.quiet)
    keep_one_heap()

    def ready(address: str) -> None:
        if settings.as_json:
            say_json({"address": address, "home": str(config.home)})
        elif not settings.quiet:
            say(f"tightship serves {address} (jobs in {config.home}); Ctrl-C stops it")

    return run(config, listening, on_ready=ready, stop=settings.cancel)


def _log_to_stderr(*, quiet: bool) -> None:
    """Write down what the server does of its own accord, such as loading a model; quietly only what goes wrong."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("tightship").setLevel(logging.WARNING if quiet else logging.INFO)


def _as_variables(host: str | None, port: int | None, insecure: bool, slots: int | None) -> dict[str, str]:
    """Return the variables that the options stand for: they go before those of the environment."""
    variables = {
        "TIGHTSHIP_HTTP_HOST": host,
        "TIGHTSHIP_HTTP_PORT": port,
        "TIGHTSHIP_HTTP_INSECURE": "true" if insecure else None,
        "TIGHTSHIP_SLOT_COUNT": slots,
        "TIGHTSHIP_JOBS_MAX_RUNNING": None if slots is None else slots - 1,
    }
    return {name: str(value) for name, value in variables.items() if value is not None}
