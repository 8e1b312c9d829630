"""Clips of MoviePy.

Suspected: `VideoFileClip` leaks. True: a clip that is dropped waits for the garbage collector, with it an ffmpeg, two
descriptors and 0.7 MB. An error that is kept keeps all of them for ever: its traceback holds the clip.
Cure: `with`, and no exception objects that are kept.
"""

from __future__ import annotations

from tightship.leaks.cases.video import video

#: Packages that must be installed, by what is imported.
NEEDS = {"moviepy": "moviepy", "av": "av"}

_errors: list[Exception] = []
_texts: set[str] = set()


def clip_dropped() -> None:
    """A clip is opened, a frame taken, and the clip dropped."""
    import moviepy

    moviepy.VideoFileClip(video()).get_frame(0)


def clip_dropped_cured() -> None:
    """It is closed by `with`."""
    import moviepy

    with moviepy.VideoFileClip(video()) as clip:
        clip.get_frame(0)


def clip_in_kept_error() -> None:
    """Work on a clip fails, and the error is kept: its traceback holds the clip."""
    try:
        _failing()
    except ValueError as error:
        _errors.append(error)


def clip_in_kept_error_cured() -> None:
    """The clip is closed by `with` before the error leaves, and of the error only its text is kept."""
    try:
        _failing_closed()
    except ValueError as error:
        _texts.add(str(error))


def _failing() -> None:
    import moviepy

    clip = moviepy.VideoFileClip(video())
    clip.get_frame(0)
    raise ValueError("no such effect")


def _failing_closed() -> None:
    import moviepy

    with moviepy.VideoFileClip(video()) as clip:
        clip.get_frame(0)
        raise ValueError("no such effect")
