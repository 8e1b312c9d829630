"""Descriptors and decoded pictures of test files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

from tests.media.synthetic import read_index


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Yield a descriptor of the file."""
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def shown(path: Path, from_s: float = -math.inf, to_s: float = math.inf) -> list[tuple[float, np.ndarray]]:
    """Return the time, from the file's start, and the grey picture of every frame; no error is forgiven.

    Args:
        path: The file; it is decoded from its beginning, whatever is asked for.
        from_s: Frames before it are left out.
        to_s: Neither are frames from here on there, nor anything behind them looked at.
    """
    found = []
    with av.open(str(path)) as container:
        start_s = (container.start_time or 0) / 1_000_000
        for frame in container.decode(video=0):
            time_s = round(frame.time - start_s, 6)
            if time_s >= to_s:
                break
            if time_s >= from_s:
                found.append((time_s, frame.to_ndarray(format="gray")))
    return found


def numbers(path: Path) -> list[int]:
    """Return the number that each picture of a synthetic video carries."""
    return [read_index(grey) for _, grey in shown(path)]


def loud_spans(path: Path) -> list[float]:
    """Return the times, from the file's start, at which the tone sets in."""
    with av.open(str(path)) as container:
        start_s = (container.start_time or 0) / 1_000_000
        onsets: list[float] = []
        loud_before = False
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray()).astype(float).mean(axis=0)
            scale = 32768.0 if frame.format.name.startswith("s16") else 1.0
            for at in range(0, samples.size, 48):
                loud = bool(samples[at : at + 48].mean() / scale > 0.1)
                if loud and not loud_before:
                    onsets.append(frame.time - start_s + at / frame.sample_rate)
                loud_before = loud
        return onsets
