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
#: Seconds of voice behind a window's last word from which the model is taken to have ended early, as it does where
#: another speaker goes on after a pause. Measured: 0.45 s at most behind what is whole, 2.6 s at least behind the rest.
_LEFT_OUT_S = 1.0
#: Characters of what was written before that a window is told, when windows are written down one by one.
_CONTEXT_CHARS = 200
#: Temperature from which a text is too doubtful to lead the next one; Whisper's own.
_DOUBTFUL = 0.5


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
        self._context = ""
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
            if self.stopped_early or self._told():
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
        written = self._recognizer.write(batch.windows, batch.heard, self._asked(), self.language.code)
        for window, segments in zip(batch.windows, written, strict=True):
            yield from self._whole(window, segments, self.language.code)
            self._written_s = window.end_s

    def _whole(self, window: Window, segments: list[Segment], language: str) -> Iterator[Segment]:
        """Yield a window's segments; where the model has ended early, what it left out is heard again."""
        while segments:
            self._remember(segments)
            yield from map(self._placed, segments)
            rest = window.after(segments[-1].end)
            if rest.voice_s < _LEFT_OUT_S or rest.duration_s > window.duration_s - _LEFT_OUT_S:
                return
            self._written_s = rest.start_s
            self.stopped_early = self.stopped_early or self._told()
            if self.stopped_early:
                return
            window = rest
            (segments,) = self._recognizer.write([rest], [self._recognizer.hear(rest)], self._asked(), language)

    def _asked(self) -> Request:
        """Return the request, with what stands before the window where that is known: in a batch it is not."""
        if self._batch_size > 1 or not self._context:
            return self._request
        return replace(self._request, prompt=" ".join(filter(None, (self._request.prompt, self._context.strip()))))

    def _remember(self, segments: list[Segment]) -> None:
        doubtful = any(segment.temperature >= _DOUBTFUL for segment in segments)
        text = self._context + "".join(segment.text for segment in segments)
        self._context = "" if doubtful else text[-_CONTEXT_CHARS:]

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
