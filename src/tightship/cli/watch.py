"""The command `watch`: folders whose files get their results as they come."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from tightship.cli.operations import require_media
from tightship.cli.output import CANCELLED, DONE, FAILED, complain, printable, say_json
from tightship.cli.settings import Home, Quiet, Settings, settings_of
from tightship.core.allocator import keep_one_heap
from tightship.errors import EXTRAS, Cancelled, ExtraMissing, InvalidOptions
from tightship.units import format_seconds, parse_seconds

NAME = "watch"
HELP = """Give each sound and video in a folder its result, now and as they come, until Ctrl-C or SIGTERM.

talk.mp4 gets talk.srt beside it. A file is taken when it has not changed for a moment, and is done once: not again when
it is renamed, touched or copied, but again when its content changes. A file that fails is told of once, and tried again
when it changes. What was not made here is never replaced: a talk.srt that you have written, or edited, stays.
"""
EXAMPLES = """\b
Examples:
  tightship watch recordings
  tightship watch recordings --model small --language de --format vtt
  tightship watch recordings --output-dir texts --format text --exclude drafts
  tightship watch recordings --once                   (do what is there, and exit: for cron)
  tightship watch clips --operation gif --option width=320 --include '*.mp4'
  tightship watch recordings --operation info         (talk.mp4 gets talk.json)
\b
Exit codes with --once: 0 done, 1 a file has failed or a folder was shut, 3 stopped before all was done.
"""


def watch(
    context: typer.Context,
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="What to watch.")],
    operation: Annotated[
        str, typer.Option("--operation", metavar="NAME", help="transcribe, gif, clip or info.", show_default=True)
    ] = "transcribe",
    form: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="NAME", help="Of transcripts: srt, vtt, text, json or verbose_json. [default: srt]"
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Of transcripts: tiny.en, small, large-v3... [default: $TIGHTSHIP_TRANSCRIBE_MODEL, else tiny.en]",
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option("--language", metavar="CODE", help="Of transcripts: en, de... [default: detected]"),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="Any option of the operation; repeatable."),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", metavar="DIR", help="Where results go, in folders like those of the files."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include",
            metavar="PATTERN",
            help="Take only such files: '*.mp4', 'talks/*'; repeatable. [default: names that end like sound or video]",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="PATTERN", help="Leave such files and folders out; repeatable."),
    ] = None,
    no_recursive: Annotated[bool, typer.Option("--no-recursive", help="Leave folders in the folder alone.")] = False,
    settle: Annotated[
        str, typer.Option("--settle", metavar="TIME", help="How long a file must not have changed.", show_default=True)
    ] = "5 s",
    rescan: Annotated[
        str,
        typer.Option(
            "--rescan", metavar="TIME", help="How often to look for what the system did not tell.", show_default=True
        ),
    ] = "60 s",
    poll: Annotated[
        bool,
        typer.Option(
            "--poll", help="Rely on --rescan alone: for network file systems. Also by WATCHFILES_FORCE_POLLING=1."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also do again what was done, or failed, before; once.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Do what is there, and exit.")] = False,
    home: Home = None,
    quiet: Quiet = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout for each file, on a line of its own.")
    ] = False,
) -> int:
    """Watch folders."""
    settings = settings_of(context, home, quiet, as_json)
    require_media("server")
    options = _options(operation, option or [], {"format": form, "model": model, "language": language})
    try:
        from tightship.watch.choice import Choice
        from tightship.watch.config import WatchConfig

        config = WatchConfig(
            folders=tuple(folders),
            operation=operation,
            options=options,
            output_dir=output_dir,
            choice=Choice(not no_recursive, tuple(include or ()), tuple(exclude or ())),
            settle_s=parse_seconds(settle),
            rescan_s=parse_seconds(rescan),
            poll=poll or os.environ.get("WATCHFILES_FORCE_POLLING", "").lower() not in _NO_POLLING,
            force=force,
            once=once,
        )
        return _perform(settings, config)
    except ModuleNotFoundError as missing:
        if missing.name not in EXTRAS:
            raise
        raise ExtraMissing.of(missing.name) from None


#: Values of the variable that mean no: what watchfiles itself takes for that.
_NO_POLLING = ("", "false", "disable", "disabled")


def _options(operation: str, texts: list[str], named: dict[str, str | None]) -> dict[str, Any]:
    from tightship.cli.slotwork import job_options

    options = job_options(texts) | {name: value for name, value in named.items() if value is not None}
    if operation == "transcribe":
        options = {"format": "srt", **options}
        model = options.get("model")
        if isinstance(model, str) and (model.startswith((".", "~", "/")) or Path(model).is_dir()):
            raise InvalidOptions(
                "--model is a name here, as others may work through the same jobs; "
                f"for a folder, set TIGHTSHIP_TRANSCRIBE_MODEL={model}"
            )
    return options


def _perform(settings: Settings, config: Any) -> int:
    from tightship.cli.transcription import prepare
    from tightship.config import service_config
    from tightship.service import open_service
    from tightship.watch.recipe import Recipe
    from tightship.watch.watcher import watch as run

    if config.operation == "transcribe":
        prepare(settings, config.options)
    suffix = Recipe.of(config.operation, config.options).suffix
    keep_one_heap()
    with open_service(service_config(os.environ, settings.home)) as service:
        _say_start(settings, config, suffix)
        try:
            tally = run(
                config,
                service,
                stop=settings.cancel,
                tell=lambda ending: _tell(settings, ending),
                warn=lambda text: complain(f"tightship {NAME}: {printable(text)}"),
            )
        except Cancelled:
            return CANCELLED
    if not config.once:
        return DONE
    if not settings.quiet and not settings.as_json:
        complain(f"tightship {NAME}: {_in_words(tally)}")
    return DONE if tally.whole else FAILED


def _say_start(settings: Settings, config: Any, suffix: str) -> None:
    if settings.quiet or settings.as_json or config.once:
        return
    folders = ", ".join(printable(str(folder)) for folder in config.folders)
    complain(f"tightship {NAME}: {folders}: each file gets its {suffix} ({config.operation}); Ctrl-C stops it")


def _tell(settings: Settings, ending: Any) -> None:
    from tightship.watch.ending import Told

    if settings.as_json:
        say_json(ending.to_dict())
        return
    source, place = _shown(ending.source), _shown(ending.place)
    if ending.told is Told.FAILED:
        complain(f"tightship {NAME}: {source}: {printable(ending.error.public_message)}")
    elif ending.told is Told.LEFT:
        complain(f"tightship {NAME}: {place} is not a result for {source} made here; it was left alone")
    elif settings.quiet:
        return
    elif ending.told is Told.GROWING:
        complain(f"{source}: it is still being written; left for the next time")
    elif ending.told is Told.COPIED:
        complain(f"{source} -> {place} (the same content was done before)")
    else:
        took = f" ({format_seconds(ending.receipt.wall_s)})" if ending.receipt is not None else ""
        complain(f"{source} -> {place}{took}")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return printable(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _in_words(tally: Any) -> str:
    counts = {str(told): count for told, count in tally.told.items()}
    counts |= {"failed before": tally.given_up, "folders not looked into": tally.unseen}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing new"
