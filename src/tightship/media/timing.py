"""What timestamps say of durations and frame rates, whatever the headers claim."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median

from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from tightship.media.limits import Limits
from tightship.media.seek import packets_of, seek

#: Frames per second below which a rate is called nonsense: one frame in 100 s is no longer a video.
MIN_FPS = 0.01
#: Share of the usual frame time by which one frame may differ before the rate is called variable: cameras' clocks
#: waver by a few per cent.
JITTER = 0.1
#: Share of frames that may last oddly long in a video of constant rate: now and then a camera drops one.
ODD_SHARE = 0.02
#: Entries of a container's index that are looked at: all of a short file, else eight windows spread over it.
INDEX_WINDOW, INDEX_WINDOWS = 128, 8
#: Packets of one video that show its rhythm where there is no index; at 60 fps two seconds.
RHYTHM_PACKETS = 120
#: Bytes read at most for that. 120 packets of 4K video at 60 Mbit/s.
RHYTHM_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Rhythm:
    """How the frames of a stream follow each other; None where there is too little to tell."""

    fps: float | None
    variable: bool | None


@dataclass(frozen=True)
class Extent:
    """What of a stream is really in the file.

    Args:
        duration_s: From the first to the end of the last frame that is whole.
        whole: False when the index names frames that lie beyond the end of the file.
        frames: Frames that are whole.
    """

    duration_s: float
    whole: bool
    frames: int


def believable_fps(rate: Fraction | float | None, max_fps: float) -> float | None:
    """Return the rate when it is finite and sane, else None."""
    if rate is None or not math.isfinite(rate) or not MIN_FPS <= rate <= max_fps:
        return None
    return round(float(rate), 6)


def rhythm_of(deltas: Sequence[int], time_base: Fraction, max_fps: float) -> Rhythm:
    """Return the rhythm that the times between frames show.

    Args:
        deltas: Ticks between frames that follow each other.
        time_base: Seconds per tick.
        max_fps: Rates above it are nonsense.
    """
    if not deltas:
        return Rhythm(None, None)
    usual = median(deltas)
    fps = believable_fps(Fraction(len(deltas)) / (sum(deltas) * time_base), max_fps) if sum(deltas) > 0 else None
    # Coarse clocks (milliseconds in Matroska) round 33.37 ms to 33 or 34: one tick is no variation.
    tolerance = max(1 if usual >= 5 else 0, JITTER * usual)
    odd = sum(abs(delta - usual) > tolerance for delta in deltas)
    return Rhythm(fps, odd >= 2 and odd > ODD_SHARE * len(deltas))


def has_full_index(stream: Stream) -> bool:
    """Tell whether the container lists every frame of the stream (MP4, AVI), not only where to seek (Matroska)."""
    return stream.frames > 0 and len(stream.index_entries) == stream.frames


def index_rhythm(stream: Stream, limits: Limits) -> Rhythm:
    """Return the rhythm that the container's index shows."""
    entries = stream.index_entries
    count, time_base = len(entries), stream.time_base or Fraction(1, 1_000_000)
    if count <= INDEX_WINDOW * INDEX_WINDOWS:
        starts = [0]
        size = count
    else:
        starts = [window * (count - INDEX_WINDOW) // (INDEX_WINDOWS - 1) for window in range(INDEX_WINDOWS)]
        size = INDEX_WINDOW
    deltas: list[int] = []
    for start in starts:
        times = [entry.timestamp for entry in entries[start : start + size]]
        deltas += [after - before for before, after in pairwise(times)]
    return rhythm_of(deltas, time_base, limits.max_fps)


def index_extent(stream: Stream, file_bytes: int) -> Extent:
    """Return how much of the stream, as its container's index lists it, lies inside the file."""
    entries = stream.index_entries
    count = len(entries)
    last = entries[count - 1]
    if last.pos + last.size <= file_bytes:
        present = count
    else:
        present = bisect_left(range(count), True, key=lambda at: entries[at].pos + entries[at].size > file_bytes)
    if present == 0:
        return Extent(0.0, False, 0)
    span = entries[present - 1].timestamp - entries[0].timestamp
    usual = span / (present - 1) if present > 1 else (stream.duration or 0) / count
    return Extent(float((span + usual) * (stream.time_base or 0)), present == count, present)


def packet_rhythm(container: InputContainer, stream: VideoStream, limits: Limits) -> Rhythm:
    """Return the rhythm that the next packets of the stream show; moves the container's position."""
    times: list[int] = []
    read_bytes = 0
    # Damage is reported by what decodes; a rhythm can be told from the packets before it.
    with closing(packets_of(container, [stream])) as packets:
        for count, packet in enumerate(packets):
            if packet.pts is not None:
                times.append(packet.pts)
            read_bytes += packet.size
            if len(times) >= RHYTHM_PACKETS or read_bytes >= RHYTHM_BYTES or count >= limits.scan_packets:
                break
    return packet_times_rhythm(times, stream.time_base, limits)


def packet_times_rhythm(times: list[int], time_base: Fraction | None, limits: Limits) -> Rhythm:
    """Return the rhythm of packets in decoding order: with B-frames their times are not sorted, and the last few
    still have gaps that later packets would fill.
    """
    ordered = sorted(times)
    settled = ordered[: max(2, len(ordered) - 8)] if len(times) >= RHYTHM_PACKETS else ordered
    deltas = [after - before for before, after in pairwise(settled)]
    return rhythm_of(deltas, time_base or Fraction(1, 1_000_000), limits.max_fps)


def tail_duration_s(container: InputContainer, claimed_s: float, limits: Limits) -> float | None:
    """Return the seconds from the first to the end of the last packet of any stream; moves the container's position.

    Reads at most `limits.scan_packets` packets from the start and as many from the end. None when the end was not
    reached in that.
    """
    first_s, end_s, complete = _read_times(container, limits)
    if not complete:
        if not seek(container, Fraction(min(claimed_s, 1e12))):
            return None
        _, end_s, complete = _read_times(container, limits)
    if not complete or end_s is None or first_s is None or not end_s > first_s:
        return None
    return end_s - first_s


def _read_times(container: InputContainer, limits: Limits) -> tuple[float | None, float | None, bool]:
    first_s: float | None = None
    end_s: float | None = None
    with closing(packets_of(container, list(container.streams))) as packets:
        for count, packet in enumerate(packets):
            if packet.pts is not None:
                at_s = float(packet.pts * packet.time_base)
                first_s = at_s if first_s is None else min(first_s, at_s)
                end_s = max(end_s or at_s, at_s + float((packet.duration or 0) * packet.time_base))
            if count >= limits.scan_packets:
                return first_s, end_s, False
    return first_s, end_s, True
