"""Windows of frames, and the palettes made of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.media.gifs import noise, solid
from tightship.media.frames import Picture
from tightship.media.palette import MAX_WINDOW_BYTES, Quantizer, windows
from tightship.media.thumbnail import Thumbnails, difference, is_opaque

RED, BLUE, CLEAR = (255, 0, 0, 255), (0, 0, 255, 255), (0, 0, 0, 0)


def sizes(frames: list, max_frames: int = 10) -> list[int]:
    """Return how many frames each window has."""
    return [len(window) for window in windows((Picture(frame, 0.1) for frame in frames), max_frames)]


def test_windows_have_a_bounded_number_of_frames() -> None:
    """Ten frames at most share a palette; the rest makes another window."""
    assert sizes([solid(32, 32, RED) for _ in range(23)]) == [10, 10, 3]


def test_windows_have_a_bounded_number_of_bytes() -> None:
    """Large frames make windows of fewer, but never of none."""
    side = int((MAX_WINDOW_BYTES / 4 / 2.5) ** 0.5)
    assert sizes([solid(side, side, RED) for _ in range(5)]) == [2, 2, 1]
    assert sizes([solid(4 * side, side, RED) for _ in range(2)]) == [1, 1]


def test_a_full_window_waits_for_no_further_frame() -> None:
    """A window is handed on with its last frame, so that no other is held meanwhile."""
    taken = itertools.count(1)
    found = windows((Picture(solid(8, 8, RED), 0.1) for _ in taken), max_frames=3)
    assert len(next(found)) == 3
    assert next(taken) == 4


def test_a_scene_cut_begins_a_window() -> None:
    """Frames of another scene do not share a palette with those before."""
    assert sizes([solid(32, 32, RED)] * 3 + [solid(32, 32, BLUE)] * 2) == [3, 2]


def test_motion_is_no_scene_cut() -> None:
    """A square that moves over a still ground leaves the window whole."""
    frames = []
    for number in range(6):
        image = np.full((90, 160, 4), 255, np.uint8)
        image[30:60, 20 * number : 20 * number + 30, :3] = (40, 60, 200)
        frames.append(type(solid(1, 1, RED)).from_ndarray(image, format="bgra"))
    assert sizes(frames) == [6]


def test_no_frames_make_no_windows() -> None:
    """Nothing in, nothing out."""
    assert sizes([]) == []


@pytest.mark.parametrize("colors", [2, 7, 16, 255])
def test_the_palette_has_no_more_colours_than_asked_for(colors: int) -> None:
    """Noise of thousands of colours is shown in the number asked for, and uses it."""
    (mapped,) = Quantizer(colors, "none", sample_step=1).map([noise(64, 64, 1)])
    assert len(np.unique(_indices(mapped))) == colors


def test_a_window_shares_its_palette() -> None:
    """All frames of a window are mapped to the same colours."""
    mapped = list(Quantizer(64, "none", sample_step=1).map([noise(32, 32, 1), noise(32, 32, 2)]))
    assert bytes(mapped[0].planes[1]) == bytes(mapped[1].planes[1])


def test_a_mapped_frame_is_given_up() -> None:
    """Each frame leaves the list when it is mapped: nobody holds it any longer."""
    frames = [noise(32, 32, number) for number in range(3)]
    left = [len(frames) for _ in Quantizer(64, "none", sample_step=1).map(frames)]
    assert left == [2, 1, 0]


def test_small_frames_are_looked_at_whole() -> None:
    """A frame of few pixels is not thinned out: its only blue pixel finds a colour."""
    image = solid(40, 40, RED).to_ndarray()
    image[21, 22] = (255, 0, 0, 255)
    (mapped,) = Quantizer(16, "none", sample_step=3).map([type(solid(1, 1, RED)).from_ndarray(image, format="bgra")])
    assert mapped.to_ndarray(format="rgb24")[21, 22].tolist() == [0, 0, 255]


def test_dithering_spreads_the_error() -> None:
    """Dithered, a grey ramp in two colours alternates; without, it has one edge."""
    ramp = np.tile(np.linspace(0, 255, 64, dtype=np.uint8)[None, :, None], (64, 1, 4))
    ramp[..., 3] = 255
    frame = type(solid(1, 1, RED)).from_ndarray(ramp, format="bgra")
    edges = {}
    for dither in ("none", "floyd_steinberg"):
        (mapped,) = Quantizer(2, dither, sample_step=1).map([frame])
        edges[dither] = np.abs(np.diff(_indices(mapped)[32].astype(int))).astype(bool).sum()
    assert edges["none"] == 1
    assert edges["floyd_steinberg"] > 10


def test_thumbnails_measure_difference() -> None:
    """Equal pictures differ by nothing, red from blue by two thirds of the range."""
    thumbnails = Thumbnails()
    red, blue = thumbnails.of(solid(64, 48, RED)), thumbnails.of(solid(64, 48, BLUE))
    assert difference(red, red) == 0
    assert difference(red, blue) == pytest.approx(170, abs=2)


def test_thumbnails_see_transparency() -> None:
    """A picture with a hole is not opaque, one without is."""
    thumbnails = Thumbnails()
    assert is_opaque(thumbnails.of(solid(64, 48, RED)))
    assert not is_opaque(thumbnails.of(solid(64, 48, CLEAR)))


def _indices(frame) -> np.ndarray:
    plane = frame.planes[0]
    return np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
