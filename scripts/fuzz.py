"""Break media files in a thousand ways and see whether anything but a result or a clear refusal comes of them.

Run `python scripts/fuzz.py --seconds 60 --seed 1`. What is not right is printed, one line of JSON each, and the file
kept under `--keep`; the exit status is 1 then. More seeds are taken from the folders named behind the options.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.media.synthetic import Video, write_audio, write_video

from tightship.media.limits import Limits
from tightship.pool.config import PoolConfig
from tightship.pool.pool import Pool
from tightship.runner import Job, Runner, RunnerConfig

#: Codes of errors that tell a stranger what is wrong with his file or wish.
CLEAR = frozenset({
    "invalid_options", "unsupported_media", "corrupt_media", "stream_missing", "media_too_large", "video_too_long",
    "frame_too_large", "too_many_streams", "exceeds_budget",
})  # fmt: skip
#: CPU seconds of one job, and bytes kept by its slot behind it, from which on it is reported.
MAX_CPU_S, MAX_KEPT_BYTES = 10.0, 48 * 2**20
#: Bytes that a slot may hold; enough for each of the small seeds.
CEILING_BYTES = 300 * 2**20
#: Bytes of a further seed at most: what follows is never reached by the few seconds that are looked at.
SEED_BYTES = 3_000_000
#: Numbers that overflow something.
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
#: Boxes and tables whose numbers are worth lying about: MP4's, Matroska's, AVI's.
NAMES = (
    b"stts", b"stsz", b"ctts", b"stsc", b"stco", b"elst", b"trun", b"tfhd", b"mvhd", b"tkhd", b"mdhd", b"avcC",
    b"stsd", b"\x1f\x43\xb6\x75", b"\x16\x54\xae\x6b", b"idx1", b"strh", b"strf", b"fmt ",
)  # fmt: skip
_SMALL = Video(width=128, height=72, seconds=2.0)
_X264 = replace(_SMALL, audio="aac")
#: Seeds by file name: every container and codec that can be written here, and the odd but healthy.
SEEDS: dict[str, Video] = {
    "plain.mp4": _X264,
    "plain.mov": replace(_X264, rotation_deg=90, pixel_format="yuv444p"),
    "fragments.mp4": replace(_X264, muxer_flags="+frag_keyframe+empty_moov+default_base_moof"),
    "edits.mp4": replace(_X264, offset_s=-0.5, sample_aspect_ratio=Fraction(4, 3)),
    "uneven.mp4": replace(_X264, times=[0, 40, 41, 300, 900, 901, 1000, 1500], rotation_deg=180),
    "hevc.mp4": replace(_SMALL, codec="libx265", pixel_format="yuv420p10le", seconds=1.0),
    "av1.mp4": replace(_SMALL, codec="libsvtav1", seconds=1.0),
    "plain.mkv": replace(_X264, offset_s=3.0),
    "hevc.mkv": replace(_SMALL, codec="libx265", seconds=1.0),
    "vp8.webm": replace(_SMALL, codec="libvpx", audio="libopus"),
    "vp9.webm": replace(_SMALL, codec="libvpx-vp9", audio="libopus"),
    "mpeg4.avi": replace(_SMALL, codec="mpeg4", audio="libmp3lame"),
    "mjpeg.avi": replace(_SMALL, codec="mjpeg", pixel_format="yuvj422p", audio="pcm_s16le"),
    "plain.ts": replace(_X264, offset_s=1.0),
    "mpeg2.ts": replace(_SMALL, codec="mpeg2video", audio="mp2"),
    "mpeg1.mpg": replace(_SMALL, codec="mpeg1video", audio="mp2"),
    "sorenson.flv": replace(_SMALL, codec="flv"),
    "plain.flv": _X264,
    "wmv2.asf": replace(_SMALL, codec="wmv2", audio="libmp3lame"),
    "prores.mov": replace(_SMALL, codec="prores", pixel_format="yuv422p10le", seconds=0.4),
    "vp8.ogg": replace(_SMALL, codec="libvpx", audio="libopus"),
    "picture.gif": replace(_SMALL, codec="gif", pixel_format="rgb8", seconds=1.0, fps=Fraction(10)),
}  # fmt: skip
SOUNDS = {"a.wav": "pcm_s16le", "a.mp3": "libmp3lame", "a.flac": "flac", "a.ogg": "libopus", "a.m4a": "alac"}


def seeds(folder: Path, further: list[Path]) -> list[tuple[str, bytes]]:
    """Return name and content of every seed; what cannot be written here is left out."""
    found = []
    for name, video in SEEDS.items():
        try:
            found.append((name, write_video(folder / name, video).read_bytes()))
        except (ValueError, OSError) as fault:
            print(f"{name} cannot be made here: {fault}", file=sys.stderr)
    found += [(name, write_audio(folder / name, codec, 1.0).read_bytes()) for name, codec in SOUNDS.items()]
    files = sorted(path for root in further for path in root.rglob("*") if path.is_file())
    return found + [(path.name, path.read_bytes()[:SEED_BYTES]) for path in files]


def mutated(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return the file with one to four kinds of damage, most of it where the headers are."""
    body = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        size = max(1, len(body))
        head = min(size, chance.choice((64, 512, 4096, size)))
        at = chance.randrange(size) if chance.random() < 0.3 else chance.randrange(head)
        length = chance.choice((1, 4, 16, 188, 1000, max(1, size // 4)))
        chance.choice(_DAMAGES)(body, at, length, other, chance)
    return bytes(body)


def _flip(body: bytearray, at: int, length: int, _other: bytes, chance: random.Random) -> None:
    for where in range(at, min(at + length * 8, len(body)), 8):
        body[where] ^= 1 << chance.randrange(8)


def _noise(body: bytearray, at: int, length: int, _other: bytes, chance: random.Random) -> None:
    body[at : at + min(length, 16)] = chance.randbytes(min(length, 16))


def _cut(body: bytearray, at: int, _length: int, _other: bytes, _chance: random.Random) -> None:
    del body[max(at, len(body) // 8) :]


def _repeat(body: bytearray, at: int, length: int, _other: bytes, chance: random.Random) -> None:
    body[at:at] = body[at : at + length] * chance.choice((1, 1, 3, 50))


def _remove(body: bytearray, at: int, length: int, _other: bytes, _chance: random.Random) -> None:
    del body[at : at + length]


def _splice(body: bytearray, at: int, _length: int, other: bytes, chance: random.Random) -> None:
    body[at:] = other[chance.randrange(max(1, len(other))) :]


def _extreme(body: bytearray, at: int, _length: int, _other: bytes, chance: random.Random) -> None:
    width = chance.choice((1, 2, 4, 8))
    value = chance.choice(EXTREMES) % 256**width
    body[at : at + width] = value.to_bytes(width, chance.choice(("big", "little")))


def _field(body: bytearray, _at: int, _length: int, other: bytes, chance: random.Random) -> None:
    where = body.find(chance.choice(NAMES))
    if where >= 0:
        _extreme(body, max(0, where + chance.choice((-4, 4, 8, 12, 16, 20))), 0, other, chance)


_DAMAGES = (_flip, _noise, _cut, _repeat, _remove, _splice, _extreme, _field)


def wishes(chance: random.Random) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the operations to try on one file: name, ending of the result, options."""
    yield "info", "", {}
    start = {"start_s": chance.choice((0.0, 0.0, 0.3, 1.2)), "end_s": chance.choice((None, None, 1.6, 3.0))}
    dither = chance.choice(("none", "bayer", "sierra2_4a"))
    small = {"width": chance.choice((1, 32, 64, 200)), "fps": chance.choice((None, 1.0, 10.0, 50.0))}
    yield "gif", ".gif", {**start, **small, "dither": dither, "quality": chance.choice(("low", "medium", "high"))}
    container = chance.choice(("mp4", "mov", "mkv", "webm"))
    yield "clip", f".{container}", {**start, "container": container}
    yield "clip", ".mp4", {**start, "container": "mp4", "exact": True}


def faults(job: Job, kept_bytes: int) -> Iterator[str]:
    """Yield what is wrong with how a job ended."""
    if job.error is not None and job.error.code not in CLEAR:
        yield job.error.code
    if job.receipt is not None and (job.receipt.cpu_s or 0) > MAX_CPU_S:
        yield f"cpu {job.receipt.cpu_s:.1f} s"
    if kept_bytes > MAX_KEPT_BYTES:
        yield f"slot holds {kept_bytes >> 20} MiB more"
    duration_s = (job.result or {}).get("duration_s")
    if job.operation != "info" and duration_s is not None and not 0 < duration_s < 2000:
        yield f"lasts {duration_s} s"


class Campaign:
    """Try files in one warm slot, and keep those that something went wrong with."""

    def __init__(self, pool: Pool, folder: Path, keep: Path) -> None:
        limits = Limits(max_duration_s=1800.0, max_frames=5000)
        self.runner = Runner(pool, RunnerConfig(probe_s=8.0, min_work_s=12.0, max_work_s=12.0, limits=limits))
        self.files = self.jobs = self.findings = 0
        self._pool, self._folder, self._keep = pool, folder, keep

    def attack(self, name: str, data: bytes, chance: random.Random, label: str) -> None:
        """Run every operation on one file."""
        path = self._folder / name
        path.write_bytes(data)
        self.files += 1
        for operation, ending, options in wishes(chance):
            output = self._folder / f"out{ending}" if ending else None
            job = self._run(operation, path, output, options)
            found = list(faults(job, self._kept_bytes()))
            if output is not None and output.exists():
                reread = self._run("info", output, None, {})
                # A copy of what is broken is broken; what was encoded again is not.
                if reread.error and (reread.error.code != "corrupt_media" or options.get("exact", ending == ".gif")):
                    found.append(f"output: {reread.error.code}")
                output.unlink()
            if found:
                self._report(path, label, operation, options, found, job)

    def _run(self, operation: str, path: Path, output: Path | None, options: dict[str, Any]) -> Job:
        self.jobs += 1
        return self.runner.run(operation, path, output, options)

    def _kept_bytes(self) -> int:
        slot = next(iter(self._pool.slots()), None)
        return 0 if slot is None or slot.baseline_bytes is None else slot.held_bytes - slot.baseline_bytes

    def _report(
        self, path: Path, label: str, operation: str, options: dict[str, Any], found: list[str], job: Job
    ) -> None:
        self.findings += 1
        self._keep.mkdir(parents=True, exist_ok=True)
        kept = shutil.copy(path, self._keep / f"{label}-{path.name}")
        error = None if job.error is None else job.error.to_dict()
        line = {"file": str(kept), "operation": operation, "options": options, "found": found, "error": error}
        print(json.dumps(line), flush=True)


def main() -> int:
    """Run the campaign; return 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("out/fuzz"))
    parser.add_argument("folders", type=Path, nargs="*", help="more files to break")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tightship-fuzz-") as scratch:
        folder = Path(scratch)
        config = PoolConfig(ceiling_bytes=CEILING_BYTES)
        with Pool(config, home=folder / "home") as pool:
            files = seeds(folder, wanted.folders)
            campaign = Campaign(pool, folder, wanted.keep)
            until_s, number = time.monotonic() + wanted.seconds, 0
            while time.monotonic() < until_s:
                chance = random.Random(f"{wanted.seed}/{number}")
                # Every seed is tried as it is first.
                name, data = files[number] if number < len(files) else chance.choice(files)
                body = data if number < len(files) else mutated(data, chance.choice(files)[1], chance)
                campaign.attack(name, body, chance, f"{wanted.seed}-{number}")
                number += 1
            causes = Counter(each.cause for each in pool.ledger.receipts("worker"))
    print(f"{campaign.files} files, {campaign.jobs} jobs, {campaign.findings} findings; workers ended: {dict(causes)}")
    return 1 if campaign.findings else 0


if __name__ == "__main__":
    sys.exit(main())
