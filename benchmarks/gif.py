"""Video to GIF, side by side with MoviePy and the ffmpeg command: CPU seconds, memory, size and likeness, in one run.

    python benchmarks/gif.py --data FOLDER [--runs 5] [--seconds 10] [--clips car,person] [--tools tightship,moviepy]

FOLDER holds `video/car-detection.mp4`, `video/one-by-one-person-detection.mp4` and `video/asl/*.mkv`. Their frames are
played at 30 frames a second and enlarged to 1080p H.264; every tool makes 480 px and 10 fps of that.

How it is measured, and what to mind:
- CPU is user + system of the tool's process and of all its children (`wait4`); start-up and imports included.
- Ours is the command line: its own process, the warden and the worker all count.
- "process" is the peak of the largest process of the tool (the kernel's high-water mark), "tree" the highest sum of
  resident memory over all its processes, polled every 10 ms: pages that processes share count more than once.
- Likeness is SSIM (Wang et al. 2004: Gaussian window of 11, sigma 1.5) of the GIF as displayed against the source at
  the GIF's own times, scaled with swscale's Lanczos at full chroma; "luma" on Y, "RGB" the mean of three channels.
  Tools choose the frame for a time differently: each is compared at the one shift of -1 to 2 frames that suits it best.
- Frames that only look enlarged decode faster than real 1080p, for every tool alike.
- The runs of the tools are interleaved; figures are medians, ratios are medians of the ratios within a run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import psutil

WIDTH_PX, FPS = 480, 10
#: Seconds that one tool may take for one clip.
LIMIT_S = 600
OURS = "tightship"


# --- the tools: each runs in a process of its own ---------------------------------------------------------------


def _tightship(source: str, target: str) -> list[str]:
    size = ["--width", str(WIDTH_PX), "--fps", str(FPS)]
    return [sys.executable, "-m", "tightship", "gif", source, target, *size, "-q", "--home", f"{target}.home"]


def _moviepy(source: str, target: str) -> None:
    from moviepy import VideoFileClip

    with VideoFileClip(source) as clip:
        clip.resized(width=WIDTH_PX).write_gif(target, fps=FPS, logger=None)


def _moviepy_apart(source: str, target: str) -> list[str]:
    return [sys.executable, __file__, "--moviepy", source, target]


def _ffmpeg(use: str) -> Callable[[str, str], list[str]]:
    graph = f"fps={FPS},scale={WIDTH_PX}:-1,split[a][b];[a]palettegen[p];[b][p]{use}"
    return lambda source, target: [
        ffmpeg(), "-v", "error", "-nostdin", "-y", "-i", source, "-filter_complex", graph, target
    ]  # fmt: skip


TOOLS: dict[str, Callable[[str, str], list[str]]] = {
    OURS: _tightship,
    "moviepy": _moviepy_apart,
    "ffmpeg": _ffmpeg("paletteuse"),
    "ffmpeg dither=none": _ffmpeg("paletteuse=dither=none"),
}


def ffmpeg() -> str:
    """Return the ffmpeg program that imageio-ffmpeg brings, the one MoviePy uses too."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


# --- the clips -----------------------------------------------------------------------------------------------------


def make_clip(name: str, data: Path, folder: Path, seconds: float) -> Path:
    """Render one source clip: real frames at 30 a second, 1080p H.264."""
    video, target = data / "video", folder / f"{name}.mp4"
    if name == "asl":
        parts = sorted((video / "asl").glob("*.mkv"))
        listing = folder / "asl.txt"
        listing.write_text("".join(f"file '{part.resolve()}'\n" for part in parts))
        inputs = ["-f", "concat", "-safe", "0", "-i", str(listing)]
        look = "scale=-2:1080:flags=bicubic,pad=1920:1080:-1:-1,format=yuv420p"
    else:
        file, skip = {"car": ("car-detection", 0), "person": ("one-by-one-person-detection", 20)}[name]
        inputs = ["-ss", str(skip), "-i", str(video / f"{file}.mp4")]
        look = "setpts=N/30/TB,scale=1920:1080:flags=bicubic"
    coding = ["-c:v", "libx264", "-preset", "medium", "-crf", "20", "-pix_fmt", "yuv420p", "-r", "30", "-an"]
    # Too short a clip is shown again until it is long enough.
    repeat = ["-stream_loop", "-1"] if name != "person" or seconds > 40 else []
    length = ["-frames:v", str(round(30 * seconds))]
    command = [ffmpeg(), "-v", "error", "-nostdin", "-y", *repeat, *inputs, "-vf", look, *coding, *length, str(target)]
    subprocess.run(command, check=True, timeout=LIMIT_S)
    return target


CLIPS = ("car", "person", "asl")


# --- measuring -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What one run of one tool took."""

    cpu_s: float
    process_bytes: int
    tree_bytes: int
    size_bytes: int


def measure(command: list[str], target: Path) -> Cost:
    """Run the command and account for its whole process tree."""
    import psutil

    target.unlink(missing_ok=True)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    killer = threading.Timer(LIMIT_S, process.kill)
    ended = threading.Event()
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(psutil.Process(process.pid), ended, peak))
    killer.start()
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    killer.cancel()
    ended.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{command[0]} ... {target.name} ended with {process.returncode}")
    process_bytes = usage.ru_maxrss * 1024
    return Cost(usage.ru_utime + usage.ru_stime, process_bytes, max(peak[0], process_bytes), target.stat().st_size)


def _watch(root: psutil.Process, ended: threading.Event, peak: list[int]) -> None:
    import psutil

    while not ended.wait(0.01):
        total = 0
        try:
            for member in [root, *root.children(recursive=True)]:
                total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
        peak[0] = max(peak[0], total)


# --- likeness ------------------------------------------------------------------------------------------------------


def score(source: str, gif: str) -> dict[str, float]:
    """Return the mean SSIM of every second frame of the GIF, on luma and on RGB."""
    import numpy as np

    shown = list(_frames(gif, None))
    height, width = shown[0][1].shape[:2]
    reference = list(_frames(source, (width, height)))
    times = np.array([time_s for time_s, _ in reference])

    def mean(frames: list[tuple[float, np.ndarray]], shift: int, like: Callable[..., float]) -> float:
        # GIF counts hundredths of a second, so a frame may seem to come half of one early.
        at = [int(np.searchsorted(times, time_s + 0.006, "right")) - 1 + shift for time_s, _ in frames]
        pairs = zip(frames, at, strict=True)
        return statistics.fmean(like(image, reference[min(max(i, 0), len(times) - 1)][1]) for (_, image), i in pairs)

    def luma(one: np.ndarray, other: np.ndarray) -> float:
        weights = np.array([0.299, 0.587, 0.114], np.float32)
        return ssim(one @ weights, other @ weights)

    def rgb(one: np.ndarray, other: np.ndarray) -> float:
        return statistics.fmean(ssim(one[..., channel], other[..., channel]) for channel in range(3))

    shift = max(range(-1, 3), key=lambda shift: mean(shown[5::15], shift, luma))
    half = shown[::2]
    return {"luma": mean(half, shift, luma), "rgb": mean(half, shift, rgb), "shift": shift, "frames": len(shown)}


def ssim(one: object, other: object) -> float:
    """Return the structural similarity of two images with one channel of 0 to 255."""
    import numpy as np

    kernel = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2).astype(np.float32)
    kernel /= kernel.sum()

    def blur(image: np.ndarray) -> np.ndarray:
        rows = sum(weight * image[k : image.shape[0] - 10 + k] for k, weight in enumerate(kernel))
        return sum(weight * rows[:, k : rows.shape[1] - 10 + k] for k, weight in enumerate(kernel))

    a, b = np.asarray(one, np.float32), np.asarray(other, np.float32)
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def _frames(path: str, size: tuple[int, int] | None) -> Iterator[tuple[float, object]]:
    import av
    from av.video.reformatter import Interpolation, VideoReformatter

    best = (
        Interpolation.LANCZOS | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
    )
    scaler = VideoReformatter()
    with av.open(path) as container:
        for frame in container.decode(video=0):
            image = scaler.reformat(frame, *(size or (frame.width, frame.height)), "rgb24", interpolation=int(best))
            yield frame.time, image.to_ndarray()


def _score_apart(source: Path, gif: Path) -> dict[str, float]:
    # In a process of its own: the measuring one must stay small, since children inherit its high-water mark.
    command = [sys.executable, __file__, "--score", str(source), str(gif)]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT_S)
    scores: dict[str, float] = json.loads(result.stdout)
    return scores


# --- report --------------------------------------------------------------------------------------------------------


def report(clip: str, costs: dict[str, list[Cost]], scores: dict[str, dict[str, float]]) -> str:
    """Return the two tables of one clip, as Markdown."""
    lines = [f"\n### {clip}\n", "| tool | CPU s (min-max) | process MB | tree MB | size MB | SSIM luma | SSIM RGB |"]
    lines.append("|---|---|---|---|---|---|---|")
    for tool, runs in costs.items():
        cpu = [run.cpu_s for run in runs]
        memory = [
            statistics.median(getattr(run, name) for run in runs) / 1e6 for name in ("process_bytes", "tree_bytes")
        ]
        cells = [f"{statistics.median(cpu):.2f} ({min(cpu):.2f}-{max(cpu):.2f})", *(f"{peak:.0f}" for peak in memory)]
        cells += [f"{runs[-1].size_bytes / 1e6:.2f}", *(f"{scores[tool][kind]:.4f}" for kind in ("luma", "rgb"))]
        lines.append(f"| {tool} | {' | '.join(cells)} |")
    ours = costs.get(OURS)
    if ours:
        lines += [f"\n| {OURS} against | CPU | process | tree | size | luma | RGB |"]
        lines += ["|---|---|---|---|---|---|---|"]
        lines += [_ratios(tool, ours, runs, scores) for tool, runs in costs.items() if tool != OURS]
    return "\n".join(lines)


def _ratios(tool: str, ours: list[Cost], theirs: list[Cost], scores: dict[str, dict[str, float]]) -> str:
    cells = []
    for name in ("cpu_s", "process_bytes", "tree_bytes", "size_bytes"):
        ratios = [getattr(a, name) / getattr(b, name) for a, b in zip(ours, theirs, strict=True)]
        cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")
    cells += [f"{scores[OURS][kind] - scores[tool][kind]:+.4f}" for kind in ("luma", "rgb")]
    return f"| {tool} | {' | '.join(cells)} |"


def machine() -> str:
    """Return what the figures were measured on."""
    import av

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    cores = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}"
    program = subprocess.run([ffmpeg(), "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    libraries = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return (
        f"{name}, {cores}, Python {platform.python_version()}; "
        f"PyAV {av.__version__} (libavcodec {libraries}), MoviePy {version('moviepy')}, ffmpeg {program}"
    )


def main() -> None:
    """Measure what the command line asks for and print it as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TIGHTSHIP_DATA", "../shared/data")))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clips", default=",".join(CLIPS))
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--no-score", action="store_true", help="leave out SSIM, which needs the whole clip in memory")
    parser.add_argument("--moviepy", nargs=2, metavar=("SOURCE", "TARGET"), help=argparse.SUPPRESS)
    parser.add_argument("--score", nargs=2, metavar=("SOURCE", "GIF"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.moviepy:
        _moviepy(*options.moviepy)
    elif options.score:
        print(json.dumps(score(*options.score)))
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Run every tool on every clip and print the tables."""
    names, tools = options.clips.split(","), options.tools.split(",")
    unscored = {"luma": float("nan"), "rgb": float("nan")}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clips = {name: make_clip(name, options.data, folder, options.seconds) for name in names}
        costs: dict[str, dict[str, list[Cost]]] = {name: {tool: [] for tool in tools} for name in names}
        for _ in range(options.runs):
            for name, clip in clips.items():
                for tool in tools:
                    target = folder / f"{name} {tool}.gif"
                    costs[name][tool].append(measure(TOOLS[tool](str(clip), str(target)), target))
        print(f"{options.seconds:g} s of 1080p to {WIDTH_PX} px and {FPS} fps, {options.runs} runs; {machine()}")
        for name, clip in clips.items():
            gifs = {tool: folder / f"{name} {tool}.gif" for tool in tools}
            scores = {tool: unscored if options.no_score else _score_apart(clip, gif) for tool, gif in gifs.items()}
            print(report(name, costs[name], scores), flush=True)


if __name__ == "__main__":
    main()
