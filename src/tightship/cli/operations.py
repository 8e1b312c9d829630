"""The commands that do something to media: gif, clip, info."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightship.cli.output import complain, complain_of, exit_code, printable, say, say_json
from tightship.cli.settings import AsJson, Home, Quiet, Settings, settings_of
from tightship.errors import EXTRAS, ExtraMissing, InvalidOptions
from tightship.units import parse_seconds

if TYPE_CHECKING:
    from tightship.runner import Job

_TIME = "TIME"

# Whether IN can be read is for the job to say: that is no wrong usage.
In = Annotated[Path, typer.Argument(metavar="IN", help="The video.", readable=False)]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="Where the result goes; replaced when it exists.")]
Start = Annotated[
    str | None, typer.Option("--start", metavar=_TIME, help="Where to begin: 90, '90 s', 1:30. [default: 0]")
]
End = Annotated[
    str | None, typer.Option("--end", metavar=_TIME, help="Where to stop, written like --start. [default: the end]")
]

GIF_HELP = """Turn a video, or a part of it, into an animated GIF.

The picture keeps its shape and is never enlarged; frames are dropped, never repeated. The name of OUT ends in .gif.
"""
GIF_EXAMPLES = """\b
Examples:
  tightship gif talk.mp4 talk.gif
  tightship gif talk.mp4 talk.gif --width 480 --fps 12
  tightship gif talk.mp4 talk.gif --start 1:30 --end "95 s" --quality high
"""
CLIP_HELP = """Cut a piece out of a video.

Packets are copied, which loses nothing and takes no time; so the clip begins at the key frame at or before --start.
With --exact the pictures are encoded again, and it begins and ends on the very frame. The ending of OUT chooses the
container: .mp4, .mov, .mkv or .webm.
"""
CLIP_EXAMPLES = """\b
Examples:
  tightship clip talk.mp4 best.mp4 --start 1:30 --end 2:00
  tightship clip talk.mp4 best.mkv --start "90 s" --exact
"""
INFO_HELP = """Tell what a media file holds.

Its duration, size, streams, codecs, rotation, tags, and what is damaged.
"""
INFO_EXAMPLES = """\b
Examples:
  tightship info talk.mp4
  tightship info talk.mp4 --json
"""


def gif(
    context: typer.Context,
    source: In,
    output: Out,
    width: Annotated[
        int | None, typer.Option("--width", metavar="PX", help="Widest it may be. [default: the video's width]")
    ] = None,
    height: Annotated[
        int | None, typer.Option("--height", metavar="PX", help="Highest it may be. [default: the video's height]")
    ] = None,
    fps: Annotated[
        float | None, typer.Option("--fps", metavar="N", help="Frames per second at most, up to 50. [default: 10]")
    ] = None,
    start: Start = None,
    end: End = None,
    loop: Annotated[
        int | None, typer.Option("--loop", metavar="N", help="How often it plays; 0 is for ever. [default: 0]")
    ] = None,
    dither: Annotated[
        str | None,
        typer.Option(
            "--dither",
            metavar="NAME",
            help="How missing colours are imitated: none (smallest file), bayer, floyd_steinberg, sierra2, sierra2_4a, "
            "sierra3, burkes, atkinson or heckbert. [default: none]",
        ),
    ] = None,
    colors: Annotated[
        int | None,
        typer.Option("--colors", metavar="N", help="Colours of a palette, 2 to 256. [default: as --quality says]"),
    ] = None,
    quality: Annotated[
        str | None,
        typer.Option(
            "--quality", metavar="NAME", help="low (small file), medium or high (best colours). [default: medium]"
        ),
    ] = None,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Turn a video into a GIF."""
    settings = settings_of(context, home, quiet, as_json)
    require_media()
    from tightship.operations.gif import check_name

    _refuse_stdout(output)
    check_name(output)
    options = {"width": width, "height": height, "fps": fps, "loop": loop, "dither": dither, "colors": colors}
    return _perform(settings, "gif", source, output, {**options, "quality": quality, **_span(start, end)})


def clip(
    context: typer.Context,
    source: In,
    output: Out,
    start: Start = None,
    end: End = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Encode again, so that it begins and ends on the very frame.")
    ] = False,
    home: Home = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Cut a piece out of a video."""
    settings = settings_of(context, home, quiet, as_json)
    require_media()
    from tightship.operations.clip import container_of

    _refuse_stdout(output)
    options = {"exact": exact, "container": container_of(output), **_span(start, end)}
    return _perform(settings, "clip", source, output, options)


def info(context: typer.Context, source: In, home: Home = None, quiet: Quiet = False, as_json: AsJson = False) -> int:
    """Tell what a media file holds."""
    settings = settings_of(context, home, quiet, as_json)
    require_media()
    return _perform(settings, "info", source, None, {})


def require_media(extra: str = "media") -> None:
    """Look for what every operation needs, without importing it: here the cure can be named.

    Args:
        extra: What brings it, and whatever else the command needs.

    Raises:
        ExtraMissing: Something is not installed.
    """
    for module, brought_by in EXTRAS.items():
        if brought_by == "media" and find_spec(module) is None:
            raise ExtraMissing.of(module, extra)


def _perform(settings: Settings, name: str, source: Path, output: Path | None, options: Mapping[str, Any]) -> int:
    from tightship.api import open_runner
    from tightship.cli.progress import open_bar
    from tightship.config import Config

    given = {option: value for option, value in options.items() if value is not None}
    with (
        open_runner(Config.from_environment(os.environ, settings.home)) as runner,
        open_bar(name, quiet=settings.quiet) as on_event,
    ):
        job = runner.run(name, source, output, given, on_event=on_event, cancel=settings.cancel)
    _report(settings, job)
    return exit_code(job.error)


def _refuse_stdout(output: Path) -> None:
    if str(output) == "-":
        raise InvalidOptions("a result is a file and does not go to stdout; name one as OUT")


def _report(settings: Settings, job: Job) -> None:
    if settings.as_json:
        say_json(job.to_dict())
        return
    if job.result is not None:
        _show(settings, job.result)
    for warning in job.warnings:
        complain(f"tightship {job.operation}: warning: {printable(warning['message'])}")
    if job.error is not None:
        complain_of(job.operation, job.error)
    if job.receipt is not None and not settings.quiet:
        (say if job.error is None else complain)(printable(job.receipt.in_words()))


def _show(settings: Settings, result: Mapping[str, Any]) -> None:
    from tightship.cli.words import file_in_words, media_in_words

    if "output" not in result:
        say(media_in_words(result))
        for warning in result["warnings"]:
            complain(f"tightship info: warning: {printable(warning)}")
    elif not settings.quiet:
        say(file_in_words(result))


def _span(start: str | None, end: str | None) -> dict[str, float | None]:
    times = {"start_s": start, "end_s": end}
    return {name: None if time is None else parse_seconds(time) for name, time in times.items()}
