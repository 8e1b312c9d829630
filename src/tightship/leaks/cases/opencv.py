"""Captures of OpenCV.

Suspected: a `VideoCapture` that is never released. True: it is released when it is dropped.
Cure: none is needed; `release()` in `finally` where something may keep the capture.
"""

from __future__ import annotations

from tightship.leaks.cases.video import video

#: Packages that must be installed, by what is imported.
NEEDS = {"cv2": "opencv-python-headless", "av": "av"}


def capture_dropped() -> None:
    """A video is opened, a frame read, and the capture dropped."""
    import cv2

    capture = cv2.VideoCapture(video())
    assert capture.read()[0]


def capture_dropped_cured() -> None:
    """It is released in `finally`."""
    import cv2

    capture = cv2.VideoCapture(video())
    try:
        assert capture.read()[0]
    finally:
        capture.release()
