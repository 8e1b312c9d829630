"""Frames of any size, shape and format on one canvas."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.gifs import solid
from tests.media.synthetic import Video, picture, write_video
from tightship.media.canvas import Canvas, fit, has_alpha

SIDES = st.integers(1, 10_000)
BOX = st.none() | SIDES


@pytest.mark.parametrize(
    ("source", "box", "size"),
    [
        ((1920, 1080), (480, None), (480, 270)),
        ((1920, 1080), (None, 270), (480, 270)),
        ((1920, 1080), (None, None), (1920, 1080)),
        ((1920, 1080), (400, 400), (400, 225)),
        ((1080, 1920), (400, 400), (225, 400)),
        ((320, 180), (640, None), (320, 180)),
        ((853, 480), (333, None), (333, 187)),
        ((5000, 2), (100, None), (100, 1)),
    ],
)
def test_a_picture_fits_its_box(source: tuple[int, int], box: tuple[int, int], size: tuple[int, int]) -> None:
    """The shape is kept, odd sizes are fine, and nothing is enlarged."""
    assert fit(*source, *box) == size


@given(SIDES, SIDES, BOX, BOX)
def test_fitting_never_leaves_the_box(width: int, height: int, box_width: int | None, box_height: int | None) -> None:
    """Whatever the numbers, the size lies within box and source, and is at least one pixel."""
    fitted = fit(width, height, box_width, box_height)
    assert 1 <= fitted[0] <= min(width, box_width or width)
    assert 1 <= fitted[1] <= min(height, box_height or height)


def canvas(width: int | None = None, aspect: Fraction | None = None) -> Canvas:
    return Canvas(width, None, aspect, "bicubic+accurate_rnd")


@pytest.mark.parametrize(
    "pixel_format", ["yuv420p", "yuv422p10le", "yuv444p12le", "gray", "gray10le", "nv12", "rgb24", "gbrp", "yuvj420p"]
)
def test_every_common_format_is_converted(pixel_format: str) -> None:
    """Planar or packed, 8 bits or more, grey or colour: the picture stays what it was."""
    image = np.full((50, 70, 3), (200, 200, 200), np.uint8)
    image[:25] = (40, 40, 40)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixel_format)
    placed = canvas().place(frame).to_ndarray(format="rgb24").astype(int)
    assert np.abs(placed - image).mean() < 4


@pytest.mark.parametrize("pixel_format", ["yuv420p", "rgb24", "bgra"])
def test_opaque_frames_take_three_bytes_a_pixel(pixel_format: str) -> None:
    """A window of frames is held at a time: nothing is kept for transparency that is not there."""
    placed = canvas(width=320).place(solid(640, 360, (9, 99, 199, 255)).reformat(format=pixel_format))
    assert placed.format.name == "bgr24"
    assert placed.planes[0].line_size < 320 * 4


def test_anamorphic_pictures_are_stretched() -> None:
    """Pixels twice as wide as high make a picture twice as wide."""
    placed = canvas(aspect=Fraction(2)).place(solid(100, 80, (1, 2, 3, 255)))
    assert (placed.width, placed.height) == (200, 80)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_turned_pictures_are_shown_upright(tmp_path: Path, degrees: int) -> None:
    """What a player turns by so many degrees clockwise is turned so in the GIF."""
    path = write_video(tmp_path / "turned.mp4", Video(seconds=0.2, rotation_deg=degrees))
    with av.open(str(path)) as container:
        placed = canvas().place(next(container.decode(video=0))).to_ndarray(format="rgb24").astype(int)
    expected = np.rot90(picture(0, 0.0, 320, 180), -degrees // 90).astype(int)
    assert placed.shape == expected.shape
    assert np.abs(placed - expected).mean() < 20


def test_a_change_of_size_keeps_the_canvas() -> None:
    """A later frame of another shape is fitted inside the first one's canvas, on black."""
    board = canvas()
    board.place(solid(160, 90, (255, 0, 0, 255)))
    placed = board.place(solid(90, 90, (0, 255, 0, 255))).to_ndarray(format="rgb24")
    assert placed.shape == (90, 160, 3)
    assert placed[45, 80].tolist() == [0, 255, 0]
    assert placed[45, 2].tolist() == [0, 0, 0]


def test_transparency_is_kept_when_it_is_there_from_the_start() -> None:
    """A transparent first frame makes a transparent canvas."""
    board = canvas()
    placed = board.place(solid(40, 40, (0, 0, 0, 0)))
    assert board.transparent
    assert placed.to_ndarray(format="rgba")[..., 3].max() == 0


def test_transparency_that_comes_later_is_filled() -> None:
    """Once opaque, a canvas stays opaque: half a GIF cannot be cleared between frames."""
    board = canvas()
    board.place(solid(40, 40, (9, 9, 9, 255)))
    assert not board.transparent
    assert board.place(solid(40, 40, (0, 0, 0, 0))).to_ndarray(format="rgba")[..., 3].min() == 255


@pytest.mark.parametrize(
    ("pixel_format", "alpha"), [("yuv420p", False), ("rgb24", False), ("yuva420p", True), ("pal8", True)]
)
def test_formats_that_can_be_transparent_are_known(pixel_format: str, alpha: bool) -> None:
    """An alpha channel or a palette can hold transparency."""
    assert has_alpha(pixel_format) is alpha
