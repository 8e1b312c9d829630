"""Operations as the runner meets them: descriptors without weight, work in an attempt."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import av
import pytest

from tests.media.synthetic import Video, write_video
from tightship import convert_video_to_gif, extract_video_segment
from tightship.errors import Cancelled, FrameTooLarge, InvalidOptions, VideoTooLong
from tightship.media.limits import Limits
from tightship.operations import clip, gif, info
from tightship.operations.operation import picture_bytes, span_s, unpacked
from tightship.operations.registry import OPERATIONS, operation_named
from tightship.testing import FakeAttempt


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds with sound."""
    return write_video(tmp_path_factory.mktemp("operations") / "in.mp4", Video(seconds=3, audio="aac"))


def test_descriptors_load_no_codec() -> None:
    """The parent process knows the operations without PyAV, NumPy or pydantic in its memory."""
    code = (
        "import sys, tightship.operations.registry as r; print(*sorted({'av', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_operation_is_found_by_its_name() -> None:
    """The registry is the one list."""
    assert set(OPERATIONS) == {"gif", "info", "clip", "transcribe"}
    assert all(operation_named(name).name == name for name in OPERATIONS)


def test_an_unknown_operation_is_named() -> None:
    """Users are told what there is."""
    with pytest.raises(InvalidOptions, match="gif, info, clip, transcribe"):
        operation_named("sing")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (convert_video_to_gif, "out.mp4"),
        (convert_video_to_gif, "out"),
        (lambda path, out: extract_video_segment(path, out, 0), "out.gif"),
        (lambda path, out: extract_video_segment(path, out, 0), "out"),
    ],
)
def test_a_name_that_promises_something_else_is_refused(
    make: Callable[[Path, Path], object], name: str, video: Path, tmp_path: Path
) -> None:
    """The ending says what comes; a file of that name that is there already is left alone, and no process starts."""
    (tmp_path / name).write_text("from yesterday")

    with pytest.raises(InvalidOptions, match="name ends in"):
        make(video, tmp_path / name)

    assert (tmp_path / name).read_text() == "from yesterday"


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
def test_defaults_are_enough(operation: object) -> None:
    """Every option has a default."""
    options = operation.options()  # type: ignore[attr-defined]
    assert all(hasattr(options, each.name) for each in fields(options))


def test_info_returns_plain_json(video: Path, tmp_path: Path) -> None:
    """The answer crosses a process."""
    with FakeAttempt(video, tmp_path) as attempt:
        facts = json.loads(json.dumps(info.run(attempt, {}), allow_nan=False))
    assert (facts["duration_s"], facts["width"], facts["height"], facts["fps"]) == (3.0, 320, 180, 25.0)


def test_limits_travel_with_the_options(video: Path, tmp_path: Path) -> None:
    """Whoever runs the service sets what is refused."""
    limits = Limits(max_frame_pixels=100).to_dict()
    with FakeAttempt(video, tmp_path) as attempt, pytest.raises(FrameTooLarge):
        info.run(attempt, {"limits": limits})


def test_clip_writes_into_the_scratch_folder(video: Path, tmp_path: Path) -> None:
    """The result names a file there, and says what it is."""
    with FakeAttempt(video, tmp_path) as attempt:
        result = clip.run(attempt, {"start_s": 1.2, "end_s": 2.2, "exact": True})
    assert (result["mode"], result["start_s"], result["duration_s"]) == ("exact", 1.2, 1.0)
    assert result["size_bytes"] == (tmp_path / result["output"]).stat().st_size
    assert attempt.checkpoints[-1].unit == "s"


def test_clip_tells_what_it_left_out(video: Path, tmp_path: Path) -> None:
    """A warning for each stream that the container cannot hold."""
    with FakeAttempt(video, tmp_path) as attempt:
        clip.run(attempt, {"end_s": 0.4, "container": "webm"})
    assert any("audio" in message for _, message in attempt.warnings)


def test_a_cancelled_clip_leaves_nothing(video: Path, tmp_path: Path) -> None:
    """Half a file is no file."""
    with FakeAttempt(video, tmp_path, cancel_after=1) as attempt, pytest.raises(Cancelled):
        clip.run(attempt, {"exact": True})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("container", "codecs", "suffix"),
    [
        ("mov,mp4,m4a,3gp,3g2,mj2", ["h264", "aac"], ".mp4"),
        ("matroska,webm", ["vp9", "opus"], ".webm"),
        ("matroska,webm", ["h264", "opus"], ".mkv"),
        ("mpegts", ["h264", "aac"], ".mp4"),
        ("asf", ["wmv3", "wmav2"], ".mkv"),
        ("gif", ["gif"], ".mp4"),
    ],
)
def test_a_clip_keeps_its_container_or_takes_the_nearest(container: str, codecs: list[str], suffix: str) -> None:
    """Nobody has to name a container."""
    streams = [{"type": "video", "codec": codec} for codec in codecs]
    assert clip.OPERATION.suffix(clip.ClipOptions(), {"container": container, "streams": streams}) == suffix


def test_gif_writes_into_the_scratch_folder(video: Path, tmp_path: Path) -> None:
    """Its size, its frames and its duration are told, and are those of the file."""
    with FakeAttempt(video, tmp_path) as attempt:
        result = gif.run(attempt, {"width": 160, "fps": 5.0, "start_s": 1.0, "end_s": 2.0})
    with av.open(str(tmp_path / result["output"])) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (result["width"], result["height"]) == (160, 90)
        assert sum(1 for _ in container.decode(video=0)) == result["frames"] == 5
    assert result["duration_s"] == pytest.approx(1.0)


def test_a_gif_longer_than_the_limit_is_refused(video: Path, tmp_path: Path) -> None:
    """What one job may work on is bounded."""
    with FakeAttempt(video, tmp_path) as attempt, pytest.raises(VideoTooLong):
        gif.run(attempt, {"limits": Limits(max_duration_s=1.0).to_dict()})


@pytest.mark.parametrize("kind", [gif.GifOptions, clip.ClipOptions])
def test_an_end_before_the_start_is_refused(kind: type) -> None:
    """Two options that contradict each other are caught before any work."""
    with pytest.raises(InvalidOptions, match="end_s"):
        kind(start_s=2.0, end_s=1.0)


@pytest.mark.parametrize(("size_bytes", "limit_s"), [(1_000, 60.0), (300_000_000, 300.0), (10_000_000_000, 1800.0)])
def test_copying_gets_a_second_per_megabyte(size_bytes: int, limit_s: float) -> None:
    """Between a minute and half an hour."""
    assert clip.OPERATION.limit_s(clip.ClipOptions(), {"size_bytes": size_bytes}) == limit_s


@pytest.mark.parametrize(("codec", "container", "encodes"), [("h264", "mp4", False), ("prores", "mp4", True)])
def test_a_container_that_cannot_hold_the_pictures_costs_as_much_as_exactness(
    codec: str, container: str, encodes: bool
) -> None:
    """Encoding takes its time and memory whether it was asked for or not."""
    picture = {"type": "video", "codec": codec, "coded_width": 1920, "coded_height": 1080}
    media = {"container": "mov,mp4", "duration_s": 100.0, "size_bytes": 1_000, "streams": [picture]}
    plain, exact = (clip.ClipOptions(container=container, exact=exact) for exact in (False, True))
    for of in (clip.OPERATION.limit_s, clip.OPERATION.reservation_bytes):
        assert (of(plain, media) == of(exact, media)) is encodes


def test_the_limit_grows_with_the_media() -> None:
    """An hour of video gets more time than a minute, and a part only what the part needs."""
    hour = {"duration_s": 3600.0}
    whole, part = gif.GifOptions(), gif.GifOptions(start_s=0.0, end_s=10.0)
    assert gif.OPERATION.limit_s(whole, hour) == 20 * 3600
    assert gif.OPERATION.limit_s(part, hour) == 200


def test_memory_is_reserved_by_the_size_of_the_pictures() -> None:
    """A 4K source needs more than a small one, whatever the GIF's size."""
    small = {"streams": [{"coded_width": 320, "coded_height": 180}]}
    large = {"streams": [{"coded_width": 3840, "coded_height": 2160}]}
    options = gif.GifOptions(width=480, height=480)
    assert gif.OPERATION.reservation_bytes(options, large) > gif.OPERATION.reservation_bytes(options, small)
    assert picture_bytes({}) == 1920 * 1080 * 3 // 2


def test_the_span_ends_with_the_media() -> None:
    """An end behind the end of the file costs nothing."""
    assert span_s(clip.ClipOptions(start_s=8.0, end_s=100.0), {"duration_s": 10.0}) == 2.0


def test_unpacking_leaves_the_limits_out_of_the_options() -> None:
    """They travel in the same mapping, but are nobody's option."""
    options, limits = unpacked(clip.ClipOptions, {"start_s": 1.0, "limits": {"max_streams": 3}})
    assert (options.start_s, limits.max_streams) == (1.0, 3)


def test_info_reserves_more_for_larger_pictures() -> None:
    """Learning what the streams are decodes pictures: an 8K file needs more than the least."""
    streams = [{"coded_width": 8192, "coded_height": 4320}]

    least = info.OPERATION.reservation_bytes(info.InfoOptions(), {})

    assert info.OPERATION.reservation_bytes(info.InfoOptions(), {"streams": streams}) > max(least, 168 * 10**6)
