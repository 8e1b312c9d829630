"""Pipes to ffmpeg, opened with `subprocess.Popen`.

Suspected: every `Popen` that is dropped. True: a child that ends by itself is buried by the next `Popen`, and its pipe
is closed: no leak. A child that waits for somebody to read its output never ends, and its process and pipe stay.
Cure: `with` and `kill()`, so that the child ends whatever happens.
"""

from __future__ import annotations

import functools
import shutil
import subprocess

#: Packages that must be installed, by what is imported; imageio-ffmpeg brings an ffmpeg where there is none.
NEEDS = {"imageio_ffmpeg": "imageio-ffmpeg"}


def short_child_dropped() -> None:
    """ffmpeg tells its version into a pipe; nobody reads it, nobody waits."""
    subprocess.Popen([_ffmpeg(), "-version"], stdout=subprocess.PIPE)


def short_child_dropped_cured() -> None:
    """`subprocess.run` reads the output and waits."""
    subprocess.run([_ffmpeg(), "-version"], stdout=subprocess.PIPE, check=True)


def endless_child_dropped() -> None:
    """ffmpeg writes pictures without end into a pipe of which one is read."""
    child = subprocess.Popen(_pictures(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read(1024)


def endless_child_dropped_cured() -> None:
    """The child is killed, and waited for by `with`."""
    with subprocess.Popen(_pictures(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.read(1024)
        finally:
            child.kill()


def _pictures() -> list[str]:
    source = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=25"]
    return [_ffmpeg(), "-v", "error", "-threads", "1", *source, "-f", "rawvideo", "-"]


@functools.cache
def _ffmpeg() -> str:
    own = shutil.which("ffmpeg")
    if own is None:
        import imageio_ffmpeg

        own = str(imageio_ffmpeg.get_ffmpeg_exe())
    return own
