"""From a stream of samples to a stream of segments, a few windows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from tightship.inference.speech import Heard, Language, Recognizer, Request, Segment, Word
from tightship.inference.voice import Samples
from tightship.inference.windowing import RATE_HZ, Cutting, Window, windows

#: Told the seconds of media done; answers True to stop early and keep what there is.
Progress = Callable[[float], bool]
#: How sure a language must be on its first window; else the whole first batch is asked.
_SURE = 0.5


@dataclass
class _Batch:
    windows: list[Window] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)


class Transcription:
    """Iterate over the segments of a stream: their times rise, their numbers count from 0.

    Args:
        recognizer: A loaded model.
        blocks: Mono, 16 kHz, of any lengths.
        request: What is wanted.
        batch_size: Windows written down at once; None leaves it to the model.
        cutting: Where windows are cut.
        progress: Called after each block of samples, and after each window.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        blocks: Iterable[Samples],
        request: Request,
        *,
        batch_size: int | None = None,
        cutting: Cutting | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.language: Language | None = Language(request.language, 1.0) if request.language else None
        self.stopped_early = False
        self._recognizer, self._blocks, self._request = recognizer, blocks, request
        self._batch_size = batch_size or recognizer.batch_size
        self._cutting = cutting
        self._progress = progress
        self._count = 0
        self._end_s = 0.0
        self._read_s = self._written_s = 0.0

    def __iter__(self) -> Iterator[Segment]:
        batch = _Batch()
        for window in windows(self._counted(), self._recognizer.detector(), self._cutting):
            if window is not None:
                batch.windows.append(window)
                batch.heard.append(self._recognizer.hear(window))
            if len(batch.windows) >= self._batch_size:
                yield from self._written(batch)
                batch = _Batch()
            if self._told():
                self.stopped_early = True
                break
        if batch.windows:
            yield from self._written(batch)
        if not self.stopped_early:
            self._written_s = self._read_s
            self._told()

    def _counted(self) -> Iterator[Samples]:
        for block in self._blocks:
            self._read_s += block.size / RATE_HZ
            yield block

    def _told(self) -> bool:
        # Hearing is about half of the work, writing the other. Silence is progress, too.
        return self._progress is not None and self._progress((self._read_s + self._written_s) / 2)

    def _written(self, batch: _Batch) -> Iterator[Segment]:
        if self.language is None:
            self.language = self._detected(batch.heard)
        written = self._recognizer.write(batch.windows, batch.heard, self._request, self.language.code)
        for window, segments in zip(batch.windows, written, strict=True):
            for segment in segments:
                yield self._placed(segment)
            self._written_s = window.end_s

    def _detected(self, heard: list[Heard]) -> Language:
        first = self._recognizer.language_of(heard[:1])
        return first if first.probability >= _SURE or len(heard) == 1 else self._recognizer.language_of(heard)

    def _placed(self, segment: Segment) -> Segment:
        """Number a segment, and let it begin no earlier than the one before it has ended."""
        start = max(segment.start, self._end_s)
        end = max(segment.end, start)
        words = None if segment.words is None else tuple(_clamped(word, start, end) for word in segment.words)
        placed = replace(segment, id=self._count, start=start, end=end, words=words)
        self._count, self._end_s = self._count + 1, end
        return placed


def _clamped(word: Word, start: float, end: float) -> Word:
    begin = min(max(word.start, start), end)
    return replace(word, start=begin, end=min(max(word.end, begin), end))
