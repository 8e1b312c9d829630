"""The program: its commands, and what becomes of every fault."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tightship import __version__
from tightship.cli import cache, doctor, jobs, leaks, models, operations, serve, transcription, watch
from tightship.cli.command import Command, WrappingCommand
from tightship.cli.interrupt import open_cancel
from tightship.cli.output import WRONG_USAGE, abandon, complain_of, error_of, exit_code, failed, say, say_json
from tightship.cli.settings import AsJson, Home, Quiet, Settings
from tightship.errors import Cancelled, InvalidOptions, TightshipError

#: Wrong usage, as typer finds it. Typer brings its own parser in some versions and needs click in others; its public
#: `BadParameter` leads to the right class in both.
_UsageError: Any = typer.BadParameter.__base__

HELP = """Media work in a fixed amount of memory, with nothing leaked, hung or left behind.

Every job runs in a confined process of its own and ends with a receipt: what it used, and what is still there.
"""
EXAMPLES = """\b
Examples:
  tightship gif talk.mp4 talk.gif --width 480
  tightship clip talk.mp4 best.mp4 --start 1:30 --end 2:00
  tightship info talk.mp4
  tightship transcribe talk.mp4
  tightship watch recordings
  tightship doctor
  tightship serve
  tightship jobs list
  tightship models list
  tightship cache show
  tightship leaks run mypackage:work
\b
--home, --json and -q may be written before or after the command.
Ctrl-C once stops a job cleanly; twice ends it at once.
\b
Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 cancelled.
"""

app = typer.Typer(
    help=HELP,
    epilog=EXAMPLES,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain text reads the same in a terminal, a pipe and a log, and takes half the time
    context_settings={"help_option_names": ["--help", "-h"]},
)


app.command("gif", cls=Command, help=operations.GIF_HELP, epilog=operations.GIF_EXAMPLES)(operations.gif)
app.command("clip", cls=Command, help=operations.CLIP_HELP, epilog=operations.CLIP_EXAMPLES)(operations.clip)
app.command("info", cls=Command, help=operations.INFO_HELP, epilog=operations.INFO_EXAMPLES)(operations.info)
app.command("transcribe", cls=Command, help=transcription.HELP, epilog=transcription.EXAMPLES)(transcription.transcribe)
app.command("watch", cls=Command, help=watch.HELP, epilog=watch.EXAMPLES)(watch.watch)
app.command("doctor", cls=Command, help=doctor.HELP, epilog=doctor.EXAMPLES)(doctor.doctor)
app.command("serve", cls=Command, help=serve.HELP, epilog=serve.EXAMPLES)(serve.serve)
kept = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
kept.command("list", cls=Command, help=jobs.LIST_HELP, epilog=jobs.LIST_EXAMPLES)(jobs.list_)
kept.command("show", cls=Command, help=jobs.SHOW_HELP, epilog=jobs.SHOW_EXAMPLES)(jobs.show)
kept.command("cancel", cls=Command, help=jobs.CANCEL_HELP, epilog=jobs.CANCEL_EXAMPLES)(jobs.cancel)
kept.command("retry", cls=Command, help=jobs.RETRY_HELP, epilog=jobs.RETRY_EXAMPLES)(jobs.retry)
kept.command("purge", cls=Command, help=jobs.PURGE_HELP, epilog=jobs.PURGE_EXAMPLES)(jobs.purge)
app.add_typer(kept, name="jobs", help=jobs.HELP, epilog=jobs.EXAMPLES)
at_hand = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
at_hand.command("list", cls=Command, help=models.LIST_HELP, epilog=models.LIST_EXAMPLES)(models.list_)
at_hand.command("fetch", cls=Command, help=models.FETCH_HELP, epilog=models.FETCH_EXAMPLES)(models.fetch)
app.add_typer(at_hand, name="models", help=models.HELP, epilog=models.EXAMPLES)
remembered = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
remembered.command("show", cls=Command, help=cache.SHOW_HELP, epilog=cache.SHOW_EXAMPLES)(cache.show)
remembered.command("clear", cls=Command, help=cache.CLEAR_HELP, epilog=cache.CLEAR_EXAMPLES)(cache.clear)
app.add_typer(remembered, name="cache", help=cache.HELP, epilog=cache.EXAMPLES)
leak_test = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
leak_test.command("run", cls=WrappingCommand, help=leaks.RUN_HELP, epilog=leaks.RUN_EXAMPLES)(leaks.run)
leak_test.command("pid", cls=Command, help=leaks.PID_HELP, epilog=leaks.PID_EXAMPLES)(leaks.pid)
leak_test.command("url", cls=Command, help=leaks.URL_HELP, epilog=leaks.URL_EXAMPLES)(leaks.url)
leak_test.command("job", cls=Command, help=leaks.JOB_HELP, epilog=leaks.JOB_EXAMPLES)(leaks.job)
app.add_typer(leak_test, name="leaks", help=leaks.HELP, epilog=leaks.EXAMPLES)
COMMANDS = ("gif", "clip", "info", "transcribe", "watch", "doctor", "serve", "jobs", "models", "cache", "leaks")


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"tightship {__version__}")
        raise typer.Exit


@app.callback()
def shared(
    context: typer.Context,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    version: Annotated[  # noqa: ARG001 - its callback has printed it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the settings that stand before the command."""
    context.obj = context.obj.joined(home, quiet, as_json)


def run(arguments: Sequence[str]) -> int:
    """Do what the command line says and return the exit code; nothing is raised."""
    try:
        with open_cancel() as cancel:
            if cancel.is_set():  # while the program was loaded
                raise KeyboardInterrupt
            return int(_invoke(arguments, Settings(cancel)) or 0)
    except KeyboardInterrupt:
        return _refuse(arguments, Cancelled("the job was cancelled"))
    except TightshipError as error:
        return _refuse(arguments, error)
    except _UsageError as wrong:
        return _show_usage(arguments, wrong)
    except BrokenPipeError:
        abandon(sys.stdout)
        return 0
    except OSError as fault:
        return _refuse(arguments, error_of(fault))
    except Exception as fault:  # noqa: BLE001 - people get a sentence, never a traceback
        return _refuse(arguments, _bug(fault))


def _invoke(arguments: Sequence[str], settings: Settings) -> Any:
    code = app(list(arguments), obj=settings, standalone_mode=False, prog_name="tightship")
    if code == 130:  # how typer tells of a KeyboardInterrupt
        raise KeyboardInterrupt
    return code


def _refuse(arguments: Sequence[str], error: TightshipError) -> int:
    """Tell of an error outside of any job: as JSON where that was asked for."""
    command = next((word for word in arguments if word in COMMANDS), None)
    if _wants_json(arguments):
        say_json(failed(command, error))
    else:
        complain_of(command, error)
    return exit_code(error)


def _show_usage(arguments: Sequence[str], wrong: Any) -> int:
    if _wants_json(arguments):
        return _refuse(arguments, InvalidOptions(wrong.format_message()))
    wrong.show()
    return WRONG_USAGE


def _wants_json(arguments: Sequence[str]) -> bool:
    words = list(arguments)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def _bug(fault: Exception) -> TightshipError:
    *_, place = traceback.extract_tb(fault.__traceback__)
    where = f"{Path(place.filename).name}:{place.lineno}"
    return TightshipError(f"this is a fault of tightship, please report it: {type(fault).__name__}: {fault} ({where})")
