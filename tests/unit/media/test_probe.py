"""What is told of healthy, odd and damaged files."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from tests.media.files import opened
from tests.media.hostile import write_hostile
from tests.media.synthetic import Video, write_audio
from tightship.errors import CorruptMedia
from tightship.media.info import MediaInfo
from tightship.media.limits import Limits
from tightship.media.probe import probe

MakeClip = Callable[..., Path]


def probed(path: Path, limits: Limits | None = None) -> MediaInfo:
    with opened(path) as fd:
        return probe(fd, limits or Limits())


def test_the_facts_of_a_plain_video(clip_of: MakeClip) -> None:
    """Everything that users ask for first is on top of the dictionary."""
    facts = probed(clip_of("sound.mp4", Video(audio="aac"))).to_dict()
    assert {name: facts[name] for name in ("width", "height", "fps", "rotation", "duration_s")} == {
        "width": 320,
        "height": 180,
        "fps": 25.0,
        "rotation": 0.0,
        "duration_s": 4.0,
    }
    assert facts["size_bytes"] == clip_of("sound.mp4").stat().st_size
    assert facts["warnings"] == ()
    assert [(stream["type"], stream["codec"]) for stream in facts["streams"]] == [("video", "h264"), ("audio", "aac")]


def test_the_facts_are_plain_json(clip_of: MakeClip) -> None:
    """They cross a process and leave through HTTP: no fraction, no infinity."""
    assert json.loads(json.dumps(probed(clip_of("plain.mp4")).to_dict(), allow_nan=False))["duration_s"] == 4.0


@pytest.mark.parametrize(
    ("rotation_deg", "size"), [(0, (427, 180)), (90, (180, 427)), (180, (427, 180)), (270, (180, 427))]
)
def test_width_and_height_are_as_seen(clip_of: MakeClip, rotation_deg: int, size: tuple[int, int]) -> None:
    """Oblong pixels are stretched and turned pictures are turned; what is stored is told beside it."""
    video = Video(seconds=0.4, rotation_deg=rotation_deg, sample_aspect_ratio=Fraction(4, 3))
    info = probed(clip_of(f"turned_{rotation_deg}.mp4", video)).video
    assert info is not None
    assert (info.width, info.height) == size
    assert (info.coded_width, info.coded_height, info.rotation) == (320, 180, float(rotation_deg))
    assert info.sample_aspect_ratio == "4:3"


@pytest.mark.parametrize("name", ["ten_bit.mkv", "ten_bit.mp4"])
def test_bit_depth(clip_of: MakeClip, name: str) -> None:
    """Ten bits are told from eight."""
    info = probed(clip_of(name, Video(pixel_format="yuv420p10le", seconds=0.4))).video
    assert info is not None
    assert (info.bit_depth, info.pixel_format) == (10, "yuv420p10le")


@pytest.mark.parametrize("name", ["steady.mp4", "steady.mkv", "steady.ts", "steady.avi"])
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30_000, 1001)])
def test_a_constant_rate_is_told_in_every_container(clip_of: MakeClip, name: str, fps: Fraction) -> None:
    """Matroska's milliseconds and B-frames do not make a rate variable."""
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    info = probed(clip_of(f"{fps.numerator}_{name}", Video(fps=fps, codec=codec, seconds=2))).video
    assert info is not None
    assert info.fps == pytest.approx(float(fps), rel=0.01)
    assert info.variable_frame_rate is False


@pytest.mark.parametrize("name", ["wavering.mp4", "wavering.mkv"])
def test_a_variable_rate_is_told(clip_of: MakeClip, name: str) -> None:
    """Frames of 40 and of 200 ms: the average is told as such."""
    times = [at for start in range(0, 4000, 400) for at in (start, start + 40, start + 80)]
    info = probed(clip_of(name, Video(times=times, bframes=0))).video
    assert info is not None
    assert info.variable_frame_rate is True
    assert info.fps == pytest.approx(7.5, rel=0.2)


def test_cover_art_is_no_video(media_folder: Path) -> None:
    """A song with a picture has neither width nor frame rate."""
    facts = probed(write_hostile("cover.mp3", media_folder)).to_dict()
    assert facts["width"] is None
    assert [stream["attached_pic"] for stream in facts["streams"]] == [False, True]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("sound.flac", "flac"), ("sound.wav", "pcm_s16le"), ("sound.mp3", "mp3")],
)
def test_sound_alone(tmp_path: Path, name: str, codec: str) -> None:
    """Sample rate, channels and length of a file without pictures."""
    encoder = {"mp3": "libmp3lame"}.get(codec, codec)
    info = probed(write_audio(tmp_path / name, encoder, 2))
    assert (info.streams[0].codec, info.streams[0].sample_rate, info.streams[0].channels) == (codec, 48_000, 1)
    assert info.duration_s == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("name", "duration_s", "warning"),
    [
        ("cut_in_mdat.mp4", 1.3, "cut short"),
        ("cut.mkv", 2.0, "cut short"),
        ("zero_timescale.mp4", 4.0, "claims"),
        ("hours_between_frames.mp4", 4.0, "frame rate"),
        ("no_time_passes.mp4", 4.0, "frame rate"),
        ("ten_thousand_fps.mp4", 4.0, "frame rate"),
    ],
)
def test_headers_that_lie_are_corrected_or_told(media_folder: Path, name: str, duration_s: float, warning: str) -> None:
    """The duration is what can be played, and a warning says what is wrong."""
    info = probed(write_hostile(name, media_folder))
    assert info.duration_s == pytest.approx(duration_s, abs=0.2)
    assert any(warning in sentence for sentence in info.warnings)


def test_an_enormous_duration_in_the_header_is_not_believed(media_folder: Path) -> None:
    """0xFFFFFFF0 ticks are 49 days; the frames last four seconds."""
    assert probed(write_hostile("long_header.mp4", media_folder)).duration_s == pytest.approx(4.0, abs=0.1)


def test_rates_are_finite_or_unknown(media_folder: Path) -> None:
    """No file makes us tell 10 000 frames per second."""
    for name in ("ten_thousand_fps.mp4", "no_time_passes.mp4", "hours_between_frames.mp4"):
        assert probed(write_hostile(name, media_folder)).to_dict()["fps"] is None


def test_tags_are_bounded(clip_of: MakeClip) -> None:
    """A novel in the title does not reach whoever stores the answer."""
    info = probed(clip_of("plain.mp4"), Limits(max_tags=1, max_tag_chars=3))
    assert list(info.tags.values()) == ["iso"]


def test_a_header_without_any_frame_is_an_error(media_folder: Path) -> None:
    """A file cut off before its first picture holds nothing to tell of."""
    path = media_folder / "header_only.mp4"
    healthy = write_hostile("cut_in_mdat.mp4", media_folder).with_name("healthy.mp4").read_bytes()
    path.write_bytes(healthy[: healthy.index(b"mdat") + 4])
    with pytest.raises(CorruptMedia, match="cut short"):
        probed(path)
