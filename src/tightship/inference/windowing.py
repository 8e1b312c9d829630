"""Cut a stream of samples into windows of speech that a model can hear at once, at its silences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tightship.inference.voice import CHUNK, Detector, Samples
from tightship.inference.window import CHUNK_S, Window


@dataclass(frozen=True)
class Cutting:
    """Where windows are cut.

    Args:
        max_s: Longest window. Whisper hears 30 s at a time, and costs the same for less.
        least_s: Shortest window that a cut may leave while speech goes on.
        speech: Probability from which a chunk is speech.
        silence: Probability below which speech has ended.
        pad_s: Silence kept before and after speech: detectors set in late.
        pause_s: A silence longer than this is cut down to its two pads.
        min_speech_s: A window with less speech is taken for noise.
    """

    max_s: float = 30.0
    least_s: float = 18.0
    speech: float = 0.5
    silence: float = 0.35
    pad_s: float = 0.4
    pause_s: float = 2.0
    min_speech_s: float = 0.1


#: Leaves nothing out: windows are still cut at silences, but those are heard, too.
EVERYTHING = Cutting(pad_s=60.0, pause_s=60.0, min_speech_s=0.0)


@dataclass
class _Kept:
    """What the next window holds so far, chunk by chunk."""

    numbers: list[int] = field(default_factory=list)
    chunks: list[Samples] = field(default_factory=list)
    voiced: list[bool] = field(default_factory=list)

    def add(self, number: int, chunk: Samples, voiced: bool) -> None:
        self.numbers.append(number)
        self.chunks.append(chunk)
        self.voiced.append(voiced)

    def precede(self, window: Window) -> None:
        times_s = (window.time_s((at + 0.5) * CHUNK_S) for at in range(len(window.voiced)))
        self.numbers[:0] = [int(time_s / CHUNK_S) for time_s in times_s]
        self.chunks[:0] = window.samples.reshape(-1, CHUNK)
        self.voiced[:0] = window.voiced

    def drop(self, begin: int, end: int | None = None) -> None:
        for column in (self.numbers, self.chunks, self.voiced):
            del column[begin:end]

    def window(self, count: int) -> Window:
        breaks = [0, *(at for at in range(1, count) if self.numbers[at] != self.numbers[at - 1] + 1)]
        return Window(
            np.concatenate(self.chunks[:count]),
            tuple(at * CHUNK_S for at in breaks),
            tuple(self.numbers[at] * CHUNK_S for at in breaks),
            tuple(self.voiced[:count]),
        )


class Cutter:
    """Gather chunks and give out windows; holds one window at most."""

    def __init__(self, cutting: Cutting | None = None) -> None:
        self._cutting = cutting or Cutting()
        self._pad = round(self._cutting.pad_s / CHUNK_S)
        self._pause = round(self._cutting.pause_s / CHUNK_S)
        self._most = int(self._cutting.max_s / CHUNK_S)
        self._least = round(self._cutting.least_s / CHUNK_S)
        self._kept = _Kept()
        self._number = 0
        self._in_speech = False
        self._silent = 0
        self._finished = False

    def feed(self, chunk: Samples, probability: float) -> Window | None:
        """Take the next chunk; return a window when one is full."""
        threshold = self._cutting.silence if self._in_speech else self._cutting.speech
        self._in_speech = probability >= threshold
        self._silent = 0 if self._in_speech else self._silent + 1
        self._kept.add(self._number, chunk, self._in_speech)
        self._number += 1
        self._shorten()
        return self._cut(self._cut_at()) if len(self._kept.numbers) >= self._most else None

    def take_back(self, rest: Window) -> bool:
        """Begin the next window with what the last one left; tell whether there is one, and room in it."""
        if self._finished or len(rest.voiced) + len(self._kept.numbers) >= self._most:
            return False
        self._kept.precede(rest)
        return True

    def finish(self) -> Window | None:
        """Return what is left when the stream has ended."""
        self._finished = True
        return self._cut(len(self._kept.numbers))

    def _shorten(self) -> None:
        """Cut a long silence down to its pads; before the first speech one pad is enough."""
        kept = len(self._kept.numbers)
        if self._silent >= kept:
            self._kept.drop(0, max(0, kept - self._pad))
        elif self._silent > self._pause:
            self._kept.drop(kept - self._silent + self._pad, kept - self._pad)
            self._silent = 2 * self._pad
            self._pause = 2 * self._pad
        elif self._in_speech:
            self._pause = round(self._cutting.pause_s / CHUNK_S)

    def _cut(self, count: int) -> Window | None:
        """Give out the first `count` chunks; the rest begins the next window."""
        voiced = [at for at in range(count) if self._kept.voiced[at]]
        window = None
        if count and len(voiced) * CHUNK_S >= self._cutting.min_speech_s:
            last = voiced[-1] if voiced else count
            window = self._kept.window(min(count, last + 1 + self._pad))
        self._kept.drop(0, count)
        return window

    def _cut_at(self) -> int:
        """Return where to cut a full window: in its longest late silence, else where it ends."""
        silences = [(begin, end) for begin, end in _silences(self._kept.voiced) if (begin + end) // 2 >= self._least]
        if not silences:
            return len(self._kept.voiced)
        begin, end = max(silences, key=self._worth)
        return (begin + end) // 2

    def _worth(self, silence: tuple[int, int]) -> float:
        # A second of silence is as good as it gets; a later cut makes fewer windows.
        begin, end = silence
        return min(end - begin, 1.0 / CHUNK_S) + _LATENESS * begin


#: Chunks of silence that a cut is worth for each chunk that it comes later.
_LATENESS = 0.05


def _silences(voiced: list[bool]) -> list[tuple[int, int]]:
    edges = [at for at, (one, other) in enumerate(pairwise([True, *voiced, True])) if one != other]
    return list(zip(edges[::2], edges[1::2], strict=True))


def windows(blocks: Iterable[Samples], detector: Detector, cutter: Cutter) -> Iterator[Window | None]:
    """Yield the windows of a stream of samples, and None after each block that filled none.

    Args:
        blocks: Mono, 16 kHz, of any lengths.
        detector: Tells where speech is.
        cutter: Gathers the windows; what one of them leaves may be put back before the next is asked for.
    """
    rest = np.zeros(0, np.float32)
    for block in blocks:
        samples = np.concatenate([rest, block])
        whole = samples.size - samples.size % CHUNK
        rest = samples[whole:].copy()
        yield from _fed(cutter, samples[:whole], detector)
        yield None
    if rest.size:
        yield from _fed(cutter, np.pad(rest, (0, CHUNK - rest.size)), detector)
    last = cutter.finish()
    if last is not None:
        yield last


def _fed(cutter: Cutter, samples: Samples, detector: Detector) -> Iterator[Window]:
    probabilities = detector.probabilities(samples)
    for chunk, probability in zip(samples.reshape(-1, CHUNK), probabilities, strict=True):
        window = cutter.feed(chunk, float(probability))
        if window is not None:
            yield window
