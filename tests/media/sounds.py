"""Sound files made for tests: tones, gaps, and headers that lie."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer

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


def samples_of(path: Path) -> np.ndarray:
    """Return the sound of a file as a transcription hears it: mono, 16 kHz."""
    from tightship.media.audio import Sound, sound_track
    from tightship.media.guard import open_media

    with path.open("rb") as file, open_media(file.fileno()) as container:
        return np.concatenate(list(Sound(container, sound_track(container))))


def write_flac(path: Path, samples: np.ndarray, rate_hz: int, claimed_samples: int | None = None) -> Path:
    """Write floats, of shape (samples,), as FLAC.

    Args:
        claimed_samples: What the header says that there are; 0 for "unknown", None for the truth.
    """
    with av.open(str(path), "w") as output:
        stream = output.add_stream("flac", rate=rate_hz, layout="mono")
        _encode(output, stream, samples, rate_hz)
    if claimed_samples is not None:
        content = bytearray(path.read_bytes())
        at = 18  # "fLaC", a block's head, sizes of blocks and frames; then 28 bits of format and 36 of length
        form = int.from_bytes(content[at : at + 8], "big") >> 36
        content[at : at + 8] = (form << 36 | claimed_samples).to_bytes(8, "big")
        path.write_bytes(content)
    return path


def write_film(path: Path, *tracks: np.ndarray, start_s: float = 0.0, gap_s: float = 0.0) -> Path:
    """Write a Matroska file with a second of video and a sound track for each array of floats at 16 kHz.

    Args:
        start_s: Time of the first sample; it may be negative.
        gap_s: Seconds that are missing in the middle of each track.
    """
    rate_hz = 16_000
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as output:
        video = output.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        streams = [output.add_stream("pcm_s16le", rate=rate_hz, layout="mono") for _ in tracks]
        for number in range(10):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 20, np.uint8), format="rgb24")
            picture.pts = number
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
        for stream, samples in zip(streams, tracks, strict=True):
            _encode(output, stream, samples, rate_hz, round(start_s * rate_hz), round(gap_s * rate_hz))
    return path


def _encode(
    output: OutputContainer, stream: AudioStream, samples: np.ndarray, rate_hz: int, first: int = 0, gap: int = 0
) -> None:
    whole = (np.clip(samples, -1, 1) * 32767).astype("<i2")[None]
    for at in range(0, whole.shape[1], 1600):
        frame = av.AudioFrame.from_ndarray(whole[:, at : at + 1600], format="s16", layout="mono")
        frame.rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
        frame.pts = first + at + (gap if at >= whole.shape[1] // 2 else 0)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
