"""What is asked of a recognizer, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tightship.inference.voice import Detector
from tightship.inference.window import Window


@dataclass(frozen=True)
class Request:
    """How speech shall be written down.

    Args:
        language: Code of the language spoken (`en`, `de`); None detects it.
        task: `transcribe` keeps the language, `translate` writes English.
        prompt: Text that is taken to stand before the first word: names, spelling, style.
        hotwords: Words to expect anywhere.
        temperatures: Tried in turn until a result is sound; above 0 the words are drawn, not searched.
        beam_size: Alternatives that the search keeps.
        words: Whether each word gets its time.
    """

    language: str | None = None
    task: Literal["transcribe", "translate"] = "transcribe"
    prompt: str | None = None
    hotwords: str | None = None
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    beam_size: int = 5
    words: bool = False


@dataclass(frozen=True)
class Word:
    """One word, with its spaces and punctuation, and when it was said, in seconds of the media."""

    word: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True)
class Segment:
    """A piece of text, about a line of subtitles, and when it was said.

    Args:
        id: Its number, from 0.
        seek: Where the window in which it was heard begins, in hundredths of a second of the media.
        start, end: Seconds of the media.
        text: The text, with its leading space.
        tokens: The model's tokens.
        temperature: The one that its text was found with.
        avg_logprob: Mean logarithm of the tokens' probabilities.
        compression_ratio: Bytes of the window's text over its compressed bytes; a loop compresses well.
        no_speech_prob: How sure the model is that nobody spoke.
        words: The words, where asked for.
    """

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: tuple[Word, ...] | None = None


@dataclass(frozen=True)
class Language:
    """A language that was asked for or heard, and how sure that is."""

    code: str
    probability: float


class Heard(Protocol):
    """What a model has made of a window before it looks for words."""


class Recognizer(Protocol):
    """A loaded model: it turns windows of speech into segments."""

    @property
    def batch_size(self) -> int:
        """Windows that it decodes at once, when nobody asks for another number."""

    def detector(self) -> Detector:
        """Return a voice detector for one stream."""

    def hear(self, window: Window) -> Heard:
        """Encode a window: its features, then the model's first half."""

    def language_of(self, heard: Sequence[Heard]) -> Language:
        """Return the language spoken; of nothing, the one that the model knows alone, else `und`."""

    def write(
        self, windows: Sequence[Window], heard: Sequence[Heard], request: Request, language: str
    ) -> list[list[Segment]]:
        """Return the segments of each window, all numbered 0."""
