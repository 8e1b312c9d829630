"""Looking at a file, side by side: a warm slot, the plain function, MoviePy.

    python benchmarks/info.py --data FOLDER [--runs 50]

FOLDER holds `video/car-detection.mp4`. Times are wall milliseconds as the caller waits for them, in one process, the
ways interleaved; on a busy machine look at the smallest. The plain function starts a worker for each call and ends it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tightship
from gif import machine


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TIGHTSHIP_DATA", "../shared/data")))
    parser.add_argument("--runs", type=int, default=50)
    options = parser.parse_args()
    video = options.data / "video" / "car-detection.mp4"
    with tempfile.TemporaryDirectory() as home, tightship.Pool(home=Path(home)) as pool:
        os.environ["TIGHTSHIP_HOME"] = home
        ways: dict[str, Callable[[], object]] = {
            "get_video_info in a warm slot": lambda: tightship.get_video_info(video, pool=pool),
            "get_video_info, a worker each": lambda: tightship.get_video_info(video),
            "MoviePy VideoFileClip": lambda: _moviepy(video),
        }
        times_ms: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.runs + 1):
            for name, way in ways.items():
                began_s = time.perf_counter()
                way()
                times_ms[name].append((time.perf_counter() - began_s) * 1000)
    print(f"info of {video.name}, {options.runs} runs after one to warm up; {machine()}\n")
    print("| way | median ms | min-max |\n|---|---|---|")
    for name, times in times_ms.items():
        print(f"| {name} | {statistics.median(times[1:]):.1f} | {min(times[1:]):.1f}-{max(times[1:]):.1f} |")


def _moviepy(video: Path) -> None:
    from moviepy import VideoFileClip

    with VideoFileClip(str(video)) as clip:
        _ = clip.duration, clip.size, clip.fps


if __name__ == "__main__":
    main()
