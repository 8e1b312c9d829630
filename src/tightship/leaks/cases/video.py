"""A short video for the cases that need one: moving shapes, made when it is first asked for, gone with the process."""

from __future__ import annotations

import atexit
import functools
import tempfile
from fractions import Fraction
from pathlib import Path

#: Size, rate and length: small, so that hundreds of steps take seconds.
WIDTH_PX, HEIGHT_PX, RATE_FPS, FRAMES = 320, 240, 25, 30
#: Packages that must be installed, by what is imported.
NEEDS = {"av": "av"}


@functools.cache
def video() -> str:
    """Return the path of an MP4 file of 1.2 s."""
    import av

    # Its folder must live as long as the process does.
    folder = tempfile.TemporaryDirectory(prefix="tightship-cases-")
    atexit.register(folder.cleanup)
    path = Path(folder.name, "shapes.mp4")
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=RATE_FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for number in range(FRAMES):
            frame = av.VideoFrame(WIDTH_PX, HEIGHT_PX, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes((8 * number + at // 64) % 256 for at in range(plane.buffer_size)))
            frame.pts, frame.time_base = number, Fraction(1, RATE_FPS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return str(path)
