"""From a stream of samples to a stream of segments, a few windows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from tightship.inference.lines import SENTENCE
from tightship.inference.speech import Heard, Language, Recognizer, Request, Segment, Word
from tightship.inference.voice import Samples
from tightship.inference.window import RATE_HZ, Window
from tightship.inference.windowing import Cutter, Cutting, windows

#: Told the seconds of media done; answers True to stop early and keep what there is.
Progress = Callable[[float], bool]
#: How sure a language must be on its first window; else the whole first batch is asked.
_SURE = 0.5
#: Seconds of voice that no word covers from which the model is taken to have left something out, as it does where
#: another speaker goes on after a pause. Measured: 0.6 s at most in what is whole, 2.2 s at least in the rest.
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
        early: Write windows down alone until there is text: it comes sooner, for one more run of the model's text half.
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
        early: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self.language: Language | None = Language(request.language, 1.0) if request.language else None
        self.stopped_early = False
        self.early = early
        self._recognizer, self._blocks, self._request = recognizer, blocks, request
        self._batch_size = batch_size or recognizer.batch_size
        self._cutter = Cutter(cutting)
        self._progress = progress
        self._context = ""
        self._count = 0
        self._end_s = 0.0
        self._read_s = self._written_s = 0.0

    def __iter__(self) -> Iterator[Segment]:
        batch = _Batch()
        for window in windows(self._counted(), self._recognizer.detector(), self._cutter):
            if window is not None:
                batch.windows.append(window)
                batch.heard.append(self._recognizer.hear(window))
                if self._is_due(batch):
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

    def _is_due(self, batch: _Batch) -> bool:
        if len(batch.windows) >= self._batch_size:
            return True
        if self._count or not self.early:
            return False
        return self.language is not None or self._recognizer.language_of(batch.heard).probability >= _SURE

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

    def _whole(
        self, window: Window, segments: list[Segment], language: str, *, inner: bool = False
    ) -> Iterator[Segment]:
        """Yield a window's segments; a stretch of voice that no segment covers is heard again, on its own."""
        end_s = window.start_s
        for segment in segments:
            yield from self._again(window, end_s, segment.start, language)
            self._remember(segment)
            yield self._placed(segment)
            end_s = segment.end
        if segments and (inner or not self._put_back(window, end_s)):
            yield from self._again(window, end_s, window.end_s, language)

    def _put_back(self, window: Window, end_s: float) -> bool:
        """Let the next window begin with what this one leaves out at its end, where that one is not heard yet."""
        rest = window.after(end_s)
        return self._batch_size == 1 and _is_left_out(rest, window) and self._cutter.take_back(rest)

    def _again(self, window: Window, begin_s: float, end_s: float, language: str) -> Iterator[Segment]:
        hole = window.before(end_s).after(begin_s)
        if not _is_left_out(hole, window):
            return
        self._written_s = max(self._written_s, hole.start_s)
        self.stopped_early = self.stopped_early or self._told()
        if not self.stopped_early:
            (segments,) = self._recognizer.write([hole], [self._recognizer.hear(hole)], self._asked(), language)
            yield from self._whole(hole, segments, language, inner=True)

    def _asked(self) -> Request:
        """Return the request, with what stands before the window where that is known: in a batch it is not.

        A text without the end of a sentence is not told: its style would spread over all that follows, without a stop.
        """
        if self._batch_size > 1 or not any(mark in self._context for mark in SENTENCE):
            return self._request
        return replace(self._request, prompt=" ".join(filter(None, (self._request.prompt, self._context.strip()))))

    def _remember(self, segment: Segment) -> None:
        text = self._context + segment.text
        if len(text) > _CONTEXT_CHARS:
            text = text[-_CONTEXT_CHARS:].partition(" ")[2]  # half a word misleads
        self._context = "" if segment.temperature >= _DOUBTFUL else text

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


def _is_left_out(hole: Window, window: Window) -> bool:
    return hole.voice_s >= _LEFT_OUT_S and hole.duration_s <= window.duration_s - _LEFT_OUT_S


def _clamped(word: Word, start: float, end: float) -> Word:
    begin = min(max(word.start, start), end)
    return replace(word, start=begin, end=min(max(word.end, begin), end))
