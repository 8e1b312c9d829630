"""Memory by the length of the video: a GIF of 10, 60 and 300 s of 1080p through the command line.

    python benchmarks/length.py --data FOLDER [--runs 3]

FOLDER holds `video/one-by-one-person-detection.mp4`. "worker" is the most memory the worker held (anonymous, shared
and swapped, from its receipt), "largest process" the kernel's high-water mark with mapped libraries, "tree" the
highest sum over all processes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from gif import machine, make_clip, measure

LENGTHS_S = (10, 60, 300)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TIGHTSHIP_DATA", "../shared/data")))
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(f"Peak by length, 1080p to 480 px and 10 fps, median of {options.runs} runs; {machine()}\n")
    print("| seconds | worker MiB | largest process MB | tree MB | CPU s |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for seconds in LENGTHS_S:
            clip = make_clip("person", options.data, folder, seconds)
            costs = [measure(_command(clip, folder), folder / "out.gif") for _ in range(options.runs)]
            receipt = json.loads(subprocess.run(_command(clip, folder), check=True, capture_output=True).stdout)[
                "receipt"
            ]
            medians = [
                statistics.median(getattr(cost, name) for cost in costs)
                for name in ("process_bytes", "tree_bytes", "cpu_s")
            ]
            print(
                f"| {seconds} | {receipt['peak_bytes'] / 2**20:.1f} | {medians[0] / 1e6:.0f} | {medians[1] / 1e6:.0f} "
                f"| {medians[2]:.1f} |",
                flush=True,
            )


def _command(clip: Path, folder: Path) -> list[str]:
    size = ["--width", "480", "--fps", "10"]
    home = ["--json", "--home", str(folder / "home")]
    return [sys.executable, "-m", "tightship", "gif", str(clip), str(folder / "out.gif"), *size, *home]


if __name__ == "__main__":
    main()
