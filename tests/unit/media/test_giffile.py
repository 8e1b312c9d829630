"""GIF files, byte by byte."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.media.gifs import images, noise, running_delays, solid
from tightship.media.giffile import GifFile
from tightship.media.palette import Quantizer

QUANTIZER = Quantizer(colors=256, dither="none", sample_step=1)


def written(windows: list[list], durations_s: list[float], plays: int = 0, transparent: bool = False) -> bytes:
    """Return the file made of windows of BGRA frames."""
    file, times = io.BytesIO(), iter(durations_s)
    gif = GifFile(file, plays, transparent)
    for window in windows:
        gif.new_palette(window[0].width, window[0].height)
        for frame in QUANTIZER.map(window):
            gif.add(frame, next(times))
    gif.finish()
    return file.getvalue()


def test_every_image_is_written() -> None:
    """Three frames in two windows are three images in one file."""
    data = written([[noise(32, 16, 1), noise(32, 16, 2)], [noise(32, 16, 3)]], [0.1, 0.1, 0.1])
    assert data[:10] == b"GIF89a" + bytes([32, 0, 16, 0])
    assert len(images(data)) == 3


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.02, 3.0), min_size=1, max_size=12))
def test_rounding_never_adds_up(durations_s: list[float]) -> None:
    """Every image leaves the screen within half a hundredth of a second of when it should."""
    frames = [solid(8, 8, (number * 20, 0, 0, 255)) for number in range(len(durations_s))]
    ends_cs = running_delays(written([frames], durations_s))
    due_s = 0.0
    for end_cs, duration_s in zip(ends_cs, durations_s, strict=True):
        due_s += duration_s
        assert end_cs == pytest.approx(due_s * 100, abs=0.51)


def test_delays_stay_in_what_browsers_show() -> None:
    """No delay is shorter than 2/100 s, which browsers show as a tenth, nor longer than the format can hold."""
    data = written([[noise(8, 8, 1), noise(8, 8, 2), noise(8, 8, 3)]], [0.0, 100_000.0, 0.001])
    assert [image.delay_cs for image in images(data)] == [2, 65_535, 65_535]


@pytest.mark.parametrize(("plays", "repetitions"), [(0, 0), (2, 1), (5, 4), (10**6, 65_535)])
def test_the_loop_count_is_repetitions(plays: int, repetitions: int) -> None:
    """Browsers read how often to repeat after the first time; 0 is for ever."""
    data = written([[noise(8, 8, 1)]], [0.1], plays=plays)
    at = data.index(b"NETSCAPE2.0")
    assert int.from_bytes(data[at + 13 : at + 15], "little") == repetitions


def test_shown_once_has_no_loop() -> None:
    """An animation that plays once carries no loop extension, since any count would repeat it."""
    assert b"NETSCAPE2.0" not in written([[noise(8, 8, 1)]], [0.1], plays=1)


def test_unchanged_parts_are_not_stored_again() -> None:
    """The second image of a window covers only the rectangle that changed."""
    before, after = noise(64, 48, 1).to_ndarray(), noise(64, 48, 1).to_ndarray()
    after[10:20, 30:40] = (10, 200, 30, 255)
    frames = [type(noise(1, 1, 1)).from_ndarray(array, format="bgra") for array in (before, after)]
    first, second = images(written([frames], [0.1, 0.1]))
    assert first.area == (0, 0, 64, 48)
    assert second.area == (30, 10, 10, 10)


def test_transparent_frames_clear_the_one_before() -> None:
    """With transparency each image is whole and is wiped before the next, so nothing shines through."""
    frames = [solid(16, 16, (255, 0, 0, 255)), solid(16, 16, (0, 0, 0, 0)), solid(16, 16, (0, 255, 0, 255))]
    found = images(written([frames], [0.1] * 3, transparent=True))
    assert [image.disposal for image in found] == [2, 2, 2]
    assert [image.area for image in found] == [(0, 0, 16, 16)] * 3


def test_a_frame_before_its_palette_is_refused() -> None:
    """A frame without a window is a mistake in the program."""
    with pytest.raises(AssertionError, match="new_palette"):
        GifFile(io.BytesIO(), 0).add(solid(8, 8, (0, 0, 0, 255)), 0.1)
