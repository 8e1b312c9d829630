"""The operations as plain functions, for programs with a server of their own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tightship.config import Config, default_home
from tightship.core.receipt import Receipt
from tightship.operations.clip import container_of
from tightship.operations.gif import check_name
from tightship.pool.pool import Pool
from tightship.pool.vigil import Event
from tightship.recall import open_recall
from tightship.runner import Job, Runner
from tightship.units import parse_seconds

StrPath = str | os.PathLike[str]
#: Seconds as a number, or text such as `"90 s"` or `"1:30"`.
Time = float | str


class Result(dict[str, Any]):
    """What an operation gave: a plain dictionary, with the account beside it.

    Attributes:
        receipt: What it cost and what is left.
        warnings: Where the result is less than what was asked for: `code` and `message` each.
    """

    def __init__(self, result: Mapping[str, Any], receipt: Receipt, warnings: tuple[Mapping[str, str], ...]) -> None:
        super().__init__(result)
        self.receipt = receipt
        self.warnings = warnings


def convert_video_to_gif(
    path: StrPath,
    out: StrPath,
    *,
    start: Time = 0.0,
    end: Time | None = None,
    on_event: Callable[[Event], None] | None = None,
    cancel: threading.Event | None = None,
    pool: Pool | None = None,
    **options: Any,
) -> Result:
    """Convert a video, or a part of it, to a GIF.

    It runs in a worker process of its own, which is gone when the function returns: this process keeps no memory, no
    descriptor, no thread, no child and no temporary file of it, also when it fails.

    Args:
        path: The video.
        out: The GIF, its name ending in `.gif`; replaced when it exists.
        start: Where to begin.
        end: Where to stop; by default at the end of the video.
        on_event: Called with `Progress`.
        cancel: Set it, from any thread, to cancel.
        pool: Run in a slot of this pool, which stays warm, instead of a process of its own.
        options: What `tightship.operations.gif.GifOptions` takes: `width`, `height`, `fps`, `loop`, `dither`,
            `colors`, `quality`.

    Returns:
        `output`, `width`, `height`, `frames`, `fps`, `duration_s`, `size_bytes`.

    Raises:
        TightshipError: It could not be done; the class and its `code` say why.
    """
    check_name(Path(out))
    options = {**options, **_span(start, end)}
    return _run("gif", path, out, options, on_event=on_event, cancel=cancel, pool=pool)


def extract_video_segment(
    path: StrPath,
    out: StrPath,
    start: Time,
    end: Time | None = None,
    *,
    exact: bool = False,
    on_event: Callable[[Event], None] | None = None,
    cancel: threading.Event | None = None,
    pool: Pool | None = None,
) -> Result:
    """Cut a piece out of a video; like `convert_video_to_gif` it leaves nothing in this process.

    Args:
        path: The video.
        out: The clip; its ending (`.mp4`, `.mov`, `.mkv`, `.webm`) chooses the container.
        start: Where to begin. Packets are copied, so the clip begins at the key frame at or before this.
        end: Where to stop; by default at the end of the video.
        exact: Encode the pictures of the piece again, so that the clip begins and ends on the very frame.
        on_event: Called with `Progress`.
        cancel: Set it, from any thread, to cancel.
        pool: Run in a slot of this pool, which stays warm, instead of a process of its own.

    Returns:
        `output`, `start_s`, `end_s` and `duration_s` as they came out, `mode`, `size_bytes`.

    Raises:
        TightshipError: It could not be done; the class and its `code` say why.
    """
    options = {**_span(start, end), "exact": exact, "container": container_of(Path(out))}
    return _run("clip", path, out, options, on_event=on_event, cancel=cancel, pool=pool)


def get_video_info(path: StrPath, *, cancel: threading.Event | None = None, pool: Pool | None = None) -> Result:
    """Tell what a media file holds; like `convert_video_to_gif` it leaves nothing in this process.

    Returns:
        `container`, `duration_s`, `size_bytes`, `width`, `height`, `fps`, `rotation`, `variable_frame_rate`,
        `streams`, `tags`.

    Raises:
        TightshipError: It could not be done; the class and its `code` say why.
    """
    return _run("info", path, None, {}, on_event=None, cancel=cancel, pool=pool)


@contextmanager
def open_runner(config: Config | None = None) -> Iterator[Runner]:
    """Open a pool of warm slots and yield what runs operations in it; all of it ends with the block."""
    config = config or Config(default_home())
    with Pool(config.pool, home=config.home) as pool:
        yield Runner(pool, config.runner, recall=open_recall(config.home, config.cache))


def _run(
    name: str,
    path: StrPath,
    out: StrPath | None,
    options: Mapping[str, Any],
    *,
    on_event: Callable[[Event], None] | None,
    cancel: threading.Event | None,
    pool: Pool | None,
) -> Result:
    output = None if out is None else Path(out)
    if pool is not None:
        return _result(Runner(pool).run(name, Path(path), output, options, on_event=on_event, cancel=cancel))
    with open_runner() as runner:
        return _result(runner.run(name, Path(path), output, options, on_event=on_event, cancel=cancel))


def _result(job: Job) -> Result:
    if job.error is not None:
        raise job.error
    assert job.result is not None
    assert job.receipt is not None
    return Result(job.result, job.receipt, job.warnings)


def _span(start: Time, end: Time | None) -> dict[str, float | None]:
    return {"start_s": parse_seconds(start), "end_s": None if end is None else parse_seconds(end)}
