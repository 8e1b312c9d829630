"""Sound files made for tests: tones, gaps, and headers that lie."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

#: The GUID that says "what follows is a plain format" in an extensible header, without its first two bytes.
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def tone(seconds: float, rate_hz: int, level: float = 0.3) -> np.ndarray:
    """Return a sine of 440 Hz, as floats."""
    return np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate_hz)) / rate_hz) * level


def write_wav(
    path: Path, samples: np.ndarray, rate_hz: int, *, channel_mask: int | None = None, claimed_bytes: int | None = None
) -> Path:
    """Write floats, of shape (samples,) or (samples, channels), as they are; or 16-bit integers.

    Args:
        channel_mask: Which loudspeakers the channels are for; None writes the short header without.
        claimed_bytes: What the header says that the sound takes; None for the truth.
    """
    floating = samples.dtype.kind == "f"
    data = samples.astype("<f4" if floating else "<i2").tobytes()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    width = 4 if floating else 2
    tag = 3 if floating else 1
    layout = (channels, rate_hz, rate_hz * channels * width, channels * width, width * 8)
    form = struct.pack("<HHIIHH", tag, *layout)
    if channel_mask is not None:
        form = struct.pack("<HHIIHH", 0xFFFE, *layout) + struct.pack("<HHIH", 22, width * 8, channel_mask, tag)
        form += _GUID_TAIL
    size = len(data) if claimed_bytes is None else claimed_bytes
    head = b"RIFF" + struct.pack("<I", (36 + size) & 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    path.write_bytes(head + b"data" + struct.pack("<I", size) + data)
    return path


def write_matroska(path: Path, *tracks: Sequence[tuple[float, float]]) -> Path:
    """Write a Matroska file with a sound track for each list of pieces, which are a start and a length in seconds."""
    rate_hz = 16_000
    with av.open(str(path), "w") as output:
        streams = [output.add_stream("pcm_s16le", rate=rate_hz, layout="mono") for _ in tracks]
        for stream, pieces in zip(streams, tracks, strict=True):
            for start_s, length_s in pieces:
                samples = (tone(length_s, rate_hz) * 32767).astype("<i2")[None]
                for at in range(0, samples.shape[1], 1600):
                    frame = av.AudioFrame.from_ndarray(samples[:, at : at + 1600], format="s16", layout="mono")
                    frame.rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
                    frame.pts = round(start_s * rate_hz) + at
                    output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return path
