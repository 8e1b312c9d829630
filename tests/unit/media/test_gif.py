"""Video in, GIF out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media.gifs import Conversion, images, running_delays, shown, write_frames
from tests.media.synthetic import Video, read_index, write_video
from tightship.errors import CorruptMedia, InvalidOptions, VideoTooLong
from tightship.media.gif import GifOptions


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Four seconds at 25 frames a second, 320 x 180."""
    return write_video(tmp_path / "plain.mp4")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.gif"


def test_a_video_becomes_a_gif(plain: Path, target: Path) -> None:
    """Size, number of pictures and duration are what the summary says and what was asked for."""
    summary = Conversion().run(plain, target, GifOptions(width_px=160, fps=5))
    assert (summary.width_px, summary.height_px, summary.frames, summary.duration_s) == (160, 90, 20, 4.0)
    assert summary.complete
    assert summary.size_bytes == target.stat().st_size
    assert [image.shape for image in shown(target)] == [(90, 160, 4)] * 20


def test_the_right_pictures_are_shown_at_the_right_time(plain: Path, target: Path) -> None:
    """Picture n of five a second is the source's picture 5 n, for a fifth of a second."""
    Conversion().run(plain, target, GifOptions(fps=5))
    assert [read_index(image[..., :3]) for image in shown(target)] == list(range(0, 100, 5))
    assert {image.delay_cs for image in images(target.read_bytes())} == {20}


def test_variable_frame_rates_keep_their_times(tmp_path: Path, target: Path) -> None:
    """Each picture stays as long as in the source."""
    path = write_video(tmp_path / "vfr.mp4", Video(times=[0, 100, 700, 800, 1500, 1600]))
    Conversion().run(path, target, GifOptions(fps=10))
    assert running_delays(target.read_bytes())[:5] == [10, 70, 80, 150, 160]


def test_the_whole_duration_survives_rounding(tmp_path: Path, target: Path) -> None:
    """At 30 frames a second, 3.33 hundredths each, four seconds stay four seconds."""
    path = write_video(tmp_path / "thirty.mp4", Video(fps=Fraction(30)))
    assert Conversion().run(path, target, GifOptions(fps=None, width_px=64)).duration_s == 4.0


@pytest.mark.parametrize("quality", ["low", "medium", "high"])
def test_qualities_give_the_same_pictures(plain: Path, target: Path, quality: str) -> None:
    """A quality changes colours and size, not what is shown."""
    summary = Conversion().run(plain, target, GifOptions(width_px=120, fps=5, quality=quality))
    assert (summary.frames, summary.duration_s) == (20, 4.0)


def test_low_quality_is_smaller_than_high(plain: Path, target: Path) -> None:
    """What is given up in colours is won in bytes."""
    sizes = [
        Conversion().run(plain, target, GifOptions(width_px=120, fps=5, quality=quality)).size_bytes
        for quality in ("low", "high")
    ]
    assert sizes[0] < 0.9 * sizes[1]


@pytest.mark.parametrize("dither", ["none", "bayer", "floyd_steinberg", "sierra2_4a", "atkinson"])
@pytest.mark.parametrize("colors", [2, 256])
def test_colours_and_dither(plain: Path, target: Path, dither: str, colors: int) -> None:
    """Pictures have no more colours than asked for, however they are dithered."""
    Conversion().run(plain, target, GifOptions(fps=2, width_px=96, dither=dither, colors=colors))
    for image in shown(target):
        assert 2 <= len(np.unique(image.reshape(-1, 4), axis=0)) <= colors


@pytest.mark.parametrize("size", [(319, 181), (66, 50), (1, 1), (3, 200)])
def test_any_size_will_do(tmp_path: Path, target: Path, size: tuple[int, int]) -> None:
    """Odd, tiny and narrow pictures become GIFs."""
    width, height = size
    arrays = [np.full((height, width, 3), 40 * number, np.uint8) for number in range(5)]
    path = write_frames(tmp_path / "odd.mkv", arrays, "ffv1", "bgr0")
    summary = Conversion().run(path, target, GifOptions())
    assert (summary.width_px, summary.height_px, summary.frames) == (width, height, 5)


def test_transparency_survives(tmp_path: Path, target: Path) -> None:
    """A square that moves over nothing is a square that moves over nothing, and leaves no trail."""
    arrays = []
    for number in range(4):
        array = np.zeros((64, 64, 4), np.uint8)
        array[20:40, 10 * number : 10 * number + 20] = (200, 30, 30, 255)
        arrays.append(array)
    path = write_frames(tmp_path / "alpha.mov", arrays, "qtrle", "argb")
    Conversion().run(path, target, GifOptions())
    for number, image in enumerate(shown(target)):
        opaque = image[..., 3] > 128
        assert opaque[30, 10 * number + 10]
        assert opaque.sum() == pytest.approx(400, abs=20)


def test_a_still_video_is_one_picture(tmp_path: Path, target: Path) -> None:
    """Frames that do not differ are not stored again and again."""
    path = write_frames(tmp_path / "still.mkv", [np.full((48, 64, 3), 90, np.uint8)] * 30, "ffv1", "bgr0")
    summary = Conversion().run(path, target, GifOptions())
    assert (summary.frames, summary.duration_s) == (1, 3.0)


def test_a_start_behind_the_end_of_the_video_is_refused(plain: Path, target: Path) -> None:
    """Four seconds have nothing to show from the tenth on."""
    with pytest.raises(InvalidOptions, match="before the start"):
        Conversion().run(plain, target, GifOptions(start_s=10.0))


def test_nothing_decodable_is_told(plain: Path, target: Path, tmp_path: Path) -> None:
    """A file whose pictures are all destroyed is corrupt."""
    data = bytearray(plain.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    (tmp_path / "gone.mp4").write_bytes(data)
    with pytest.raises(CorruptMedia):
        Conversion().run(tmp_path / "gone.mp4", target, GifOptions())


def test_damage_gives_one_warning(plain: Path, target: Path, tmp_path: Path) -> None:
    """However many packets are bad, the warning is one, and the rest is converted."""
    data = bytearray(plain.read_bytes())
    start = data.index(b"mdat") + 20_000
    for at in range(start, min(start + 6000, len(data)), 5):
        data[at] ^= 0xFF
    (tmp_path / "bad.mp4").write_bytes(data)
    conversion = Conversion()
    assert conversion.run(tmp_path / "bad.mp4", target, GifOptions(width_px=96, fps=25)).frames > 50
    assert conversion.warnings == ["damaged_input"]


def test_running_out_of_time_keeps_a_valid_gif(plain: Path, target: Path) -> None:
    """Stopped in the middle, the GIF ends there and says so."""
    conversion = Conversion(stop_after=50)
    summary = conversion.run(plain, target, GifOptions(fps=10))
    assert not summary.complete
    assert conversion.warnings == ["stopped_early"]
    assert 5 <= len(shown(target)) == summary.frames < 30


def test_too_many_frames_are_refused(plain: Path, target: Path) -> None:
    """The limit on decoded frames holds."""
    with pytest.raises(VideoTooLong):
        Conversion().run(plain, target, GifOptions(fps=None), max_frames=30)


#: Presentation times in milliseconds.
HOSTILE_TIMES = {
    "a thousand a second": list(range(40)),
    "hours apart": [number * 20_971_520 for number in range(40)],
    "one gap of hours": [*range(0, 1000, 40), *range(90_000_000, 90_001_000, 40)],
}


@pytest.mark.parametrize("times", HOSTILE_TIMES.values(), ids=HOSTILE_TIMES.keys())
def test_hostile_times_end_soon_and_delay_nothing(tmp_path: Path, target: Path, times: list[int]) -> None:
    """No timestamps make the GIF longer than a frame's time for each frame, or any picture stay for a minute."""
    path = write_video(tmp_path / "hostile.mkv", Video(width=96, height=64, times=times, bframes=0))
    summary = Conversion().run(path, target, GifOptions())
    assert summary.frames <= len(times)
    assert max(image.delay_cs for image in images(target.read_bytes())) <= 200
    assert summary.duration_s <= 5.0


def test_progress_is_reported_often(plain: Path, target: Path) -> None:
    """There is a checkpoint for every packet, with the seconds done of those to do."""
    conversion = Conversion()
    conversion.run(plain, target, GifOptions(fps=5))
    assert len(conversion.progress) >= 100
    assert conversion.progress[-1] == (pytest.approx(4.0, abs=0.3), 4.0)
